// Length of the common run of two byte ranges: the inner loop of a delta. Scalar, SSE2 and AVX2
// forms give the same value; the choice is made at run time, per call, from a flag the compiler's
// runtime keeps.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dwcp::simd {

/// Eight bytes at `at`, of any alignment, in the machine's order.
inline uint64_t load64(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Four bytes at `at`.
inline uint32_t load32(const uint8_t* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// How many of the low-addressed bytes of two words are equal, given their XOR, which is not zero.
inline size_t equal_bytes_forward(uint64_t difference) {
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<size_t>(std::countr_zero(difference)) / 8;
  } else {
    return static_cast<size_t>(std::countl_zero(difference)) / 8;
  }
}

/// Bytes equal from `a` and `b` on, at most `limit`.
size_t common_forward(const uint8_t* a, const uint8_t* b, size_t limit);

/// The reference every CPU can run.
size_t common_forward_scalar(const uint8_t* a, const uint8_t* b, size_t limit);

/// Bytes equal before `a` and `b`, at most `limit`. Runs backward are short: one form is enough.
size_t common_backward(const uint8_t* a, const uint8_t* b, size_t limit);

/// Places looked at by one call of `find32`.
inline constexpr size_t kFindPlaces = 64;

/// Bit `i` is set where the four bytes at `at + i` are `value`; reads `kFindPlaces` + 3 bytes.
uint64_t find32(const uint8_t* at, uint32_t value);

/// The reference every CPU can run.
uint64_t find32_scalar(const uint8_t* at, uint32_t value);

/// Adds `size` bytes of `addend` to `base` modulo 256, into `target`.
void add_bytes(uint8_t* target, const uint8_t* base, const uint8_t* addend, size_t size);

/// `avx2` or `scalar`: what `common_forward` runs on here.
const char* match_via();

}  // namespace dwcp::simd
