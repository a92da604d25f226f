// XXH3-128, the content digest between nodes that have the addon. Not for hostile input: a link
// that does not trust its peer uses SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::simd {

/// XXH3-128 in the canonical big-endian form.
using Digest128 = std::array<uint8_t, 16>;

/// XXH3-128 of `bytes` with seed 0.
Digest128 xxh3_128(std::span<const uint8_t> bytes);

/// The same of bytes that come piece by piece, so that each is read while it is still in the cache.
class Xxh3Stream {
 public:
  Xxh3Stream();
  void update(std::span<const uint8_t> bytes);
  Digest128 digest() const;

 private:
  static constexpr size_t kStateBytes = 576;
  alignas(64) std::array<std::byte, kStateBytes> state_;
};

/// `avx2`, `sse2` or `scalar`: what long inputs are hashed with here.
const char* xxh3_via();

}  // namespace dwcp::simd
