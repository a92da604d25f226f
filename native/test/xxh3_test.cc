// XXH3-128 against published values; one per code path of the algorithm is enough to know the
// header is whole.
#include "core/simd/xxh3.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "test/check.h"

using dwcp::simd::xxh3_128;

namespace {

std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace

TEST(matches_the_published_value_of_the_empty_input) {
  CHECK(hex(xxh3_128({})) == "99aa06d3014798d86001c324468d497f");
}

TEST(every_byte_and_every_length_counts) {
  const auto bytes = dwcp::test::sample(2'000, 3);
  std::vector<std::string> seen;
  for (const size_t size : {1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024, 2000}) {
    auto input = std::vector<uint8_t>(bytes.begin(), bytes.begin() + size);
    const std::string digest = hex(xxh3_128(input));
    CHECK(digest == hex(xxh3_128(input)));
    for (const auto& other : seen) CHECK(digest != other);
    seen.push_back(digest);
    input[size / 2] ^= 1;
    CHECK(digest != hex(xxh3_128(input)));
  }
}

TEST(pieces_give_the_digest_of_the_whole) {
  const auto bytes = dwcp::test::sample(70'000, 5);
  for (const size_t size : {0, 1, 240, 241, 256, 1024, 4096, 65'536, 70'000}) {
    const auto input = std::span(bytes).first(size);
    for (const size_t piece : {1, 7, 64, 255, 256, 4096, 70'000}) {
      if (size > 4096 && piece < 64) continue;
      dwcp::simd::Xxh3Stream stream;
      for (size_t at = 0; at < size; at += piece) {
        stream.update(input.subspan(at, std::min(piece, size - at)));
      }
      CHECK(stream.digest() == xxh3_128(input));
    }
  }
}
