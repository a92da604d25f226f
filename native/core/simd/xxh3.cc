// The only file that sees the full xxhash.h: native/xxhash.mjs writes it from zstd's copy, which
// has XXH3 switched off. XXH_INLINE_ALL keeps every symbol local to this file.
#include "core/simd/xxh3.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dwcp::simd {

std::array<uint8_t, 16> xxh3_128(std::span<const uint8_t> bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  std::array<uint8_t, 16> digest;
  static_assert(sizeof canonical.digest == digest.size());
  std::memcpy(digest.data(), canonical.digest, digest.size());
  return digest;
}

}  // namespace dwcp::simd
