// The match index: every indexed block is found, what is not there mostly is not, sizes are as
// announced.
#include "core/delta/base_index.h"
#include "test/check.h"

using dwcp::delta::BaseIndex;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

bool finds(const BaseIndex& index, uint64_t hash, size_t position) {
  if (!index.may_contain(hash)) return false;
  const auto found = index.find(hash);
  return found[0] == position || found[1] == position;
}

}  // namespace

TEST(most_blocks_are_found_at_every_size) {
  for (const size_t size : {40, 5'000, 600'000, 3'000'000}) {
    const Bytes base = sample(size, 1);
    BaseIndex index;
    CHECK(BaseIndex::build(base, index).ok());
    CHECK(index.size_bytes() == BaseIndex::size_bytes_for(size));
    size_t blocks = 0;
    size_t found = 0;
    for (size_t at = 0; at + index.block_size() <= size; at += index.stride()) {
      ++blocks;
      found += finds(index, index.hash(base.data() + at), at);
    }
    CHECK(found * 100 >= blocks * 75);  // full buckets forget some
  }
}

TEST(the_filter_lets_little_through) {
  const Bytes base = sample(1'000'000, 2);
  const Bytes other = sample(1'000'000, 3);
  BaseIndex index;
  CHECK(BaseIndex::build(base, index).ok());
  size_t passed = 0;
  for (size_t at = 0; at + index.block_size() <= other.size(); ++at) {
    passed += index.may_contain(index.hash(other.data() + at));
  }
  CHECK(passed * 10 < other.size());
}

TEST(bases_without_a_block_have_an_empty_index) {
  for (size_t size = 0; size < 12; ++size) {
    const Bytes base = sample(size, 4);
    BaseIndex index;
    CHECK(BaseIndex::build(base, index).ok());
    CHECK(index.base_size() == size);
    CHECK(!index.may_contain(0x1234567890abcdef));
  }
}

TEST(equal_blocks_keep_the_first_and_the_last) {
  const Bytes zeros(100'000, 0);
  BaseIndex index;
  CHECK(BaseIndex::build(zeros, index).ok());
  const auto found = index.find(index.hash(zeros.data()));
  CHECK(found[0] == 0);
  CHECK(found[1] + index.block_size() + index.stride() > zeros.size());
}
