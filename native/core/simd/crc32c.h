// CRC-32C (Castagnoli, RFC 3720 appendix B.4): SSE4.2 where the CPU has it, slicing-by-8 elsewhere.
// Both give the same value; the choice is made at run time, per call, from a flag the compiler's
// runtime keeps.
#pragma once

#include <cstdint>
#include <span>

namespace dwcp::simd {

/// CRC-32C of `bytes`, continuing from `seed` (0 to start).
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed = 0);

/// The reference every CPU can run.
uint32_t crc32c_scalar(std::span<const uint8_t> bytes, uint32_t seed = 0);

/// `sse4.2` or `scalar`: what `crc32c` runs on here.
const char* crc32c_via();

}  // namespace dwcp::simd
