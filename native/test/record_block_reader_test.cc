// The reader of blocks against zstd's own: both read the same blocks, and refuse the same ones.
#include "core/codec/record_block_reader.h"

#include <algorithm>
#include <array>

#include "core/codec/dictionary_entropy.h"
#include "core/codec/record_codec.h"
#include "test/check.h"

using dwcp::Shared;
using dwcp::codec::Dictionary;
using dwcp::codec::RecordBlockReader;
using dwcp::codec::RecordCodec;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

/// The inside of a block with what comes before it in a frame.
struct Block {
  Bytes frame;
  size_t at = 0;

  std::span<const uint8_t> inside() const { return std::span(frame).subspan(at); }
};

/// Empty where the content does not get smaller.
Block block_of(const Bytes& content, const Dictionary* dictionary, int level) {
  static RecordCodec codec;
  Block block{Bytes(dwcp::codec::record_bound(content.size())), 0};
  size_t size = 0;
  CHECK(codec.encode(content, dictionary, {level, false}, block.frame, size).ok());
  block.frame.resize(size);
  dwcp::codec::RecordHeader header;
  CHECK(dwcp::codec::read_record_header(block.frame, header, block.at).ok());
  if (!header.coded) block.frame.clear();
  return block;
}

/// What zstd reads; empty when it refuses, or it is not `size` bytes.
Bytes read_by_zstd(std::span<const uint8_t> block, const Dictionary* dictionary, size_t size) {
  static ZSTD_DCtx* const context = ZSTD_createDCtx();
  const auto* digested = dictionary != nullptr ? dictionary->decoder() : nullptr;
  CHECK(!ZSTD_isError(ZSTD_decompressBegin_usingDDict(context, digested)));
  Bytes content(size);
  const size_t made =
      ZSTD_decompressBlock(context, content.data(), size, block.data(), block.size());
  if (made != size) content.clear();
  return content;
}

/// What we read, which is the same on every CPU.
Bytes read(std::span<const uint8_t> block, const Dictionary* dictionary, size_t size) {
  static RecordBlockReader reader;
  static RecordBlockReader anywhere(false);
  CHECK(reader.reserve(size) && anywhere.reserve(size));
  const auto* digested = dictionary != nullptr ? dictionary->decoder() : nullptr;
  const auto content = reader.read(block, digested, size);
  CHECK(std::ranges::equal(content, anywhere.read(block, digested, size)));
  return {content.begin(), content.end()};
}

/// Repeats of every length and distance, literals, runs, and pieces of `shared`, also its last
/// bytes.
Bytes mixture(size_t size, const Bytes& shared, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes;
  const auto append_from = [&bytes](const Bytes& from, size_t begin, size_t count) {
    for (size_t i = begin; i < std::min(from.size(), begin + count); ++i) bytes.push_back(from[i]);
  };
  while (bytes.size() < size) {
    const size_t count = random() % (random() % 8 == 0 ? 300 : 30);
    switch (random() % 4) {
      case 0:
        append_from(sample(count, random(), 20), 0, count);
        break;
      case 1:
        append_from(shared, random() % shared.size(), count);
        break;
      case 2:
        append_from(shared, shared.size() - random() % 20, count);
        break;
      default: {
        const size_t distance = 1 + random() % (random() % 2 == 0 ? 40 : 4000);
        for (size_t i = 0; i < count && distance <= bytes.size(); ++i) {
          bytes.push_back(bytes[bytes.size() - distance]);
        }
      }
    }
  }
  bytes.resize(size);
  return bytes;
}

/// A raw dictionary, a trained one, and none.
struct Dictionaries {
  Bytes shared = sample(5000, 3, 12);
  Shared<Dictionary> raw, trained;
  std::array<const Dictionary*, 3> all{};

  Dictionaries() {
    static dwcp::codec::ContextPool pool;
    std::array<uint8_t, dwcp::codec::kMaxDictionaryHead> head;
    size_t size = 0;
    const Bytes records = mixture(20000, shared, 99);
    const std::vector<uint32_t> lengths(20, 1000);
    CHECK(dwcp::codec::write_dictionary_head(pool, {records, lengths}, shared, 3, head, size).ok());
    Bytes made(head.begin(), head.begin() + static_cast<ptrdiff_t>(size));
    made.insert(made.end(), shared.begin(), shared.end());
    CHECK(Dictionary::make(shared, 1, raw).ok() && Dictionary::make(made, 2, trained).ok());
    all = {nullptr, &*raw, &*trained};
  }
};

}  // namespace

TEST(blocks_of_every_kind_come_back) {
  const Dictionaries dictionaries;
  size_t coded = 0;
  for (const Dictionary* dictionary : dictionaries.all) {
    for (const int level : {-5, 1, 3, 12, 19}) {
      for (const size_t size : {20, 40, 300, 1200, 5000, 65536}) {
        const Bytes content = mixture(size, dictionaries.shared, static_cast<uint32_t>(size));
        const Block block = block_of(content, dictionary, level);
        if (block.frame.empty()) continue;
        CHECK(read_by_zstd(block.inside(), dictionary, size) == content);
        CHECK(read(block.inside(), dictionary, size) == content);
        ++coded;
      }
    }
  }
  CHECK(coded > 60);
}

TEST(runs_of_every_period_come_back) {
  const Dictionaries dictionaries;
  for (size_t period = 1; period <= 40; ++period) {
    for (const size_t length : {60, 333, 4000}) {
      Bytes content = sample(period, static_cast<uint32_t>(period));
      while (content.size() < length) content.push_back(content[content.size() - period]);
      for (const Dictionary* dictionary : dictionaries.all) {
        const Block block = block_of(content, dictionary, 3);
        CHECK(block.frame.empty() || read(block.inside(), dictionary, content.size()) == content);
      }
    }
  }
}

TEST(values_of_many_bits_come_back) {
  Shared<Dictionary> dictionary;
  const Bytes shared = sample(200000, 6);
  CHECK(Dictionary::make(shared, 3, dictionary).ok());
  // 30 KB of literals, then 30 KB from far away: more bits than one load has beside the states.
  Bytes content = sample(30000, 7);
  content.insert(content.end(), shared.begin() + 1000, shared.begin() + 31000);
  for (const int level : {3, 19}) {
    const Block block = block_of(content, &*dictionary, level);
    CHECK(!block.frame.empty() && read(block.inside(), &*dictionary, content.size()) == content);
  }
}

TEST(what_zstd_refuses_is_refused_and_nothing_else) {
  const Dictionaries dictionaries;
  size_t refused = 0;
  size_t read_well = 0;
  const auto compare = [&](std::span<const uint8_t> block, const Dictionary* dictionary,
                           size_t size) {
    const Bytes expected = read_by_zstd(block, dictionary, size);
    CHECK(read(block, dictionary, size) == expected);
    expected.empty() ? ++refused : ++read_well;
  };
  for (const Dictionary* dictionary : dictionaries.all) {
    for (uint32_t seed = 0; seed < 4; ++seed) {
      const Bytes content = mixture(400, dictionaries.shared, seed);
      Block block = block_of(content, dictionary, 3);
      CHECK(!block.frame.empty());
      for (size_t bit = block.at * 8; bit < block.frame.size() * 8; ++bit) {
        block.frame[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        compare(block.inside(), dictionary, content.size());
        block.frame[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      }
      for (size_t size = 0; size < block.inside().size(); ++size) {
        compare(block.inside().first(size), dictionary, content.size());
      }
      compare(block.inside(), dictionary, content.size() - 1);
      compare(block.inside(), dictionary, content.size() + 1);
    }
  }
  CHECK(refused > 1000 && read_well > 1000);
}
