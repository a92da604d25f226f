// XXH3-128, the content digest between nodes that have the addon. Not for hostile input: a link
// that does not trust its peer uses SHA-256.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace dwcp::simd {

/// XXH3-128 of `bytes` with seed 0, in the canonical big-endian form.
std::array<uint8_t, 16> xxh3_128(std::span<const uint8_t> bytes);

}  // namespace dwcp::simd
