// CRC-32C (Castagnoli, RFC 3720 appendix B.4): AVX-512 or SSE4.2 where the CPU has it,
// slicing-by-8 elsewhere. All give the same value; the choice is made at run time, per call, from
// flags the compiler's runtime keeps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dwcp::simd {

/// CRC-32C of `bytes`, continuing from `seed` (0 to start).
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed = 0);

/// The reference every CPU can run.
uint32_t crc32c_scalar(std::span<const uint8_t> bytes, uint32_t seed = 0);

/// One way to compute it.
struct Crc32cPath {
  const char* name;  // `avx512`, `sse4.2` or `scalar`
  uint32_t (*run)(std::span<const uint8_t> bytes, uint32_t seed);
};

/// The ways this CPU can go; `crc32c` goes the first.
std::vector<Crc32cPath> crc32c_paths();

}  // namespace dwcp::simd
