// Run lengths: every form against a byte by byte loop, at every length and offset that matters.
#include "core/simd/match.h"

#include "test/check.h"

using dwcp::simd::common_backward;
using dwcp::simd::common_forward;
using dwcp::simd::common_forward_scalar;
using dwcp::simd::find32;
using dwcp::simd::find32_scalar;
using dwcp::simd::kFindPlaces;
using dwcp::simd::load32;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

TEST(runs_are_exact_at_every_length_and_alignment) {
  const Bytes base = sample(700, 1);
  for (size_t offset = 0; offset < 9; ++offset) {
    for (size_t length = 0; length < 300; ++length) {
      Bytes other(base.begin() + static_cast<ptrdiff_t>(offset), base.end());
      other[length] ^= 0x80;
      const size_t limit = other.size();
      CHECK(common_forward(base.data() + offset, other.data(), limit) == length);
      CHECK(common_forward_scalar(base.data() + offset, other.data(), limit) == length);
      CHECK(common_forward(base.data() + offset, other.data(), length) == length);
    }
  }
}

TEST(runs_backward_are_exact) {
  const Bytes base = sample(400, 2);
  for (size_t length = 0; length < 150; ++length) {
    Bytes other = base;
    other[other.size() - 1 - length] ^= 1;
    const uint8_t* end = base.data() + base.size();
    CHECK(common_backward(end, other.data() + other.size(), base.size()) == length);
    CHECK(common_backward(end, other.data() + other.size(), length) == length);
  }
}

TEST(random_runs_agree_between_the_forms) {
  const Bytes a = sample(20'000, 3, 2);
  const Bytes b = sample(20'000, 4, 2);
  for (size_t at = 0; at + 64 < a.size(); at += 7) {
    const size_t limit = std::min<size_t>(a.size() - at, 5'000);
    CHECK(common_forward(a.data() + at, b.data() + at, limit) ==
          common_forward_scalar(a.data() + at, b.data() + at, limit));
  }
}

TEST(four_bytes_are_found_at_every_place) {
  for (const uint32_t symbols : {2u, 3u, 256u}) {
    const Bytes bytes = sample(2'000, symbols, symbols);
    for (size_t at = 0; at + 2 * kFindPlaces + 4 < bytes.size(); ++at) {
      const uint32_t value = load32(bytes.data() + at + at % kFindPlaces);
      const uint64_t found = find32(bytes.data() + at, value);
      CHECK(found == find32_scalar(bytes.data() + at, value));
      CHECK((found >> at % kFindPlaces & 1) == 1);
    }
  }
}

TEST(differences_add_up_modulo_256) {
  const Bytes base = sample(1'000, 5);
  const Bytes target = sample(1'000, 6);
  Bytes difference(base.size());
  for (size_t i = 0; i < base.size(); ++i) {
    difference[i] = static_cast<uint8_t>(target[i] - base[i]);
  }
  Bytes out(base.size());
  dwcp::simd::add_bytes(out.data(), base.data(), difference.data(), base.size());
  CHECK(out == target);
}
