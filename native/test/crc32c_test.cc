// CRC-32C against the vectors of RFC 3720 appendix B.4, and the accelerated paths against the
// scalar one.
#include "core/simd/crc32c.h"

#include <cstring>

#include "test/check.h"

using dwcp::simd::crc32c;
using dwcp::simd::crc32c_paths;
using dwcp::simd::crc32c_scalar;
using dwcp::test::sample;

namespace {

std::span<const uint8_t> part(const std::vector<uint8_t>& bytes, size_t at, size_t size) {
  return std::span(bytes).subspan(at, size);
}

}  // namespace

TEST(matches_the_vectors_of_rfc_3720) {
  std::vector<uint8_t> bytes(32, 0x00);
  CHECK(crc32c(bytes) == 0x8a9136aa);
  bytes.assign(32, 0xff);
  CHECK(crc32c(bytes) == 0x62a8ab43);
  for (size_t i = 0; i < 32; ++i) bytes[i] = static_cast<uint8_t>(i);
  CHECK(crc32c(bytes) == 0x46dd794e);
  for (size_t i = 0; i < 32; ++i) bytes[i] = static_cast<uint8_t>(31 - i);
  CHECK(crc32c(bytes) == 0x113fdb5c);
}

TEST(matches_the_check_value_and_the_empty_input) {
  const char* digits = "123456789";
  const std::vector<uint8_t> bytes(digits, digits + std::strlen(digits));
  CHECK(crc32c(bytes) == 0xe3069283);
  CHECK(crc32c_scalar(bytes) == 0xe3069283);
  CHECK(crc32c({}) == 0);
  CHECK(crc32c({}, 0x12345678) == 0x12345678);
}

TEST(every_path_agrees_at_every_length_and_alignment) {
  const auto bytes = sample(3 * 2048 * 2 + 1024, 1);
  for (const auto& path : crc32c_paths()) {
    for (size_t at = 0; at < 8; ++at) {
      for (size_t size = 0; size <= 900; ++size) {
        CHECK(path.run(part(bytes, at, size), 0) == crc32c_scalar(part(bytes, at, size)));
      }
      for (size_t size = 6000; size + at <= bytes.size(); size += 97) {
        CHECK(path.run(part(bytes, at, size), 7) == crc32c_scalar(part(bytes, at, size), 7));
      }
    }
  }
}

TEST(continues_from_a_seed) {
  const auto bytes = sample(10'000, 2);
  const uint32_t whole = crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 501) {
    const uint32_t first = crc32c(part(bytes, 0, cut));
    CHECK(crc32c(part(bytes, cut, bytes.size() - cut), first) == whole);
  }
}

TEST(goes_the_first_of_its_paths_and_can_always_go_the_last) {
  const auto paths = crc32c_paths();
  const auto bytes = sample(4096, 3);
  CHECK(std::strcmp(paths.back().name, "scalar") == 0);
  CHECK(crc32c(bytes) == paths.front().run(bytes, 0));
}
