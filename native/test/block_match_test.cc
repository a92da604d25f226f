// Block hashes against a plain polynomial, and matching against rebuilding the content.
#include "core/delta/block_match.h"

#include "core/simd/crc32c.h"
#include "test/check.h"

using dwcp::codec::Column;
using dwcp::delta::block_count;
using dwcp::delta::hash_blocks;
using dwcp::delta::kBlockHashSize;
using dwcp::delta::kRollingFactor;
using dwcp::delta::match_blocks;
using dwcp::delta::Op;
using dwcp::delta::RemoteBase;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

Bytes hashes_of(const Bytes& base, size_t block_size) {
  Bytes hashes(block_count(base.size(), block_size) * kBlockHashSize);
  hash_blocks(base, block_size, hashes);
  return hashes;
}

struct Rebuilt {
  Bytes content;
  size_t literals = 0;
};

/// What the operations make of the base, new bytes taken from the content.
Rebuilt rebuild(const Bytes& base, const Bytes& content, const Column<Op>& ops) {
  Rebuilt out;
  const auto add = [&](const Bytes& from, size_t at, size_t size) {
    const auto first = from.begin() + static_cast<ptrdiff_t>(at);
    out.content.insert(out.content.end(), first, first + static_cast<ptrdiff_t>(size));
  };
  for (const Op& op : ops.values()) {
    add(content, out.content.size(), op.literal);
    out.literals += op.literal;
    add(base, op.from, op.copy);
  }
  out.literals += content.size() - out.content.size();
  add(content, out.content.size(), content.size() - out.content.size());
  return out;
}

Rebuilt matched(const Bytes& base, const Bytes& content, size_t block_size) {
  const Bytes hashes = hashes_of(base, block_size);
  Column<Op> ops;
  CHECK(match_blocks({hashes, block_size, base.size()}, content, ops).ok());
  return rebuild(base, content, ops);
}

}  // namespace

TEST(hashes_are_those_of_the_definition) {
  for (size_t size = 0; size < 300; ++size) {
    const Bytes base = sample(size, static_cast<uint32_t>(size) + 1);
    const Bytes hashes = hashes_of(base, 64);
    for (size_t block = 0; block * 64 < size; ++block) {
      uint32_t rolling = 0;
      for (size_t at = block * 64; at < std::min(size, block * 64 + 64); at += 4) {
        uint32_t word = 0;
        for (size_t i = 0; i < 4 && at + i < size; ++i) word |= uint32_t{base[at + i]} << 8 * i;
        rolling = rolling * kRollingFactor + word;
      }
      uint32_t stored = 0;
      for (size_t i = 0; i < 4; ++i) stored |= uint32_t{hashes[block * 8 + i]} << 8 * i;
      CHECK(stored == rolling);
    }
  }
}

TEST(edits_cost_the_blocks_they_touch) {
  const Bytes base = sample(100'000, 7);
  Bytes content = base;
  content.insert(content.begin() + 20'001, 5, 0xee);  // shifts all behind it
  content[70'003] ^= 1;
  content.push_back(9);
  const Rebuilt out = matched(base, content, 256);
  CHECK(out.content == content);
  CHECK(out.literals <= 2 * 256 + 6);
}

TEST(any_content_is_rebuilt_whatever_the_sizes) {
  for (size_t base_size : {0, 1, 63, 64, 65, 127, 128, 1000, 4097}) {
    const Bytes base = sample(base_size, 3, 4);
    for (size_t drop = 0; drop < 140; drop += 13) {
      Bytes content(base.begin() + static_cast<ptrdiff_t>(std::min(drop, base_size)), base.end());
      const Bytes more = sample(drop, 5, 4);
      content.insert(content.end(), more.begin(), more.end());
      content.insert(content.end(), base.begin(), base.end());
      CHECK(matched(base, content, 64).content == content);
    }
  }
}

TEST(a_moved_part_and_a_run_of_equal_blocks_are_found) {
  const Bytes base = sample(50'000, 11);
  Bytes content(base.begin() + 25'000, base.end());
  content.insert(content.end(), base.begin(), base.begin() + 25'000);
  content.insert(content.end(), 30'000, 0);
  CHECK(matched(base, content, 128).content == content);
  Bytes zeros(60'000, 0);
  zeros.insert(zeros.end(), base.begin(), base.end());
  const Rebuilt out = matched(zeros, content, 128);
  CHECK(out.content == content);
  CHECK(out.literals < 1000);
}

TEST(forged_hashes_cost_bounded_work) {
  // Every position has the rolling hash of every block, and none the checksum.
  const Bytes content(1 << 20, 0);
  Bytes hashes(size_t{1 << 14} * kBlockHashSize, 0);
  for (size_t i = 0; i < hashes.size(); i += kBlockHashSize) {
    hashes[i + 4] = static_cast<uint8_t>(i >> 3);
    hashes[i + 5] = static_cast<uint8_t>(i >> 11);
  }
  Column<Op> ops;
  CHECK(match_blocks({hashes, 4096, size_t{1 << 14} * 4096}, content, ops).ok());
  CHECK(ops.empty());
}

TEST(sizes_that_do_not_fit_are_refused) {
  const Bytes base = sample(1000, 1);
  const Bytes hashes = hashes_of(base, 64);
  Column<Op> ops;
  CHECK(!match_blocks({hashes, 64, 2000}, base, ops).ok());
  CHECK(!match_blocks({hashes, 96, 1000}, base, ops).ok());
  CHECK(!match_blocks({hashes, 32, 1000}, base, ops).ok());
  CHECK(!match_blocks({{}, 64, 1000}, base, ops).ok());
  CHECK(match_blocks({{}, 64, 0}, base, ops).ok());
}
