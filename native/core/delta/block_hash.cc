// See block_hash.h.
#include "core/delta/block_hash.h"

#include <algorithm>
#include <cstring>

#include "core/delta/little_endian.h"
#include "core/simd/crc32c.h"

namespace dwcp::delta {

uint32_t rolling_hash(std::span<const uint8_t> block) {
  constexpr uint32_t kSquare = kRollingFactor * kRollingFactor;
  constexpr uint32_t kFourth = kSquare * kSquare;
  const uint8_t* at = block.data();
  size_t left = block.size();
  uint32_t hash = 0;
  // Four words at a time: the products do not wait for each other.
  for (; left >= 16; left -= 16, at += 16) {
    hash = hash * kFourth + read_u32(at) * (kSquare * kRollingFactor) + read_u32(at + 4) * kSquare +
           read_u32(at + 8) * kRollingFactor + read_u32(at + 12);
  }
  for (; left >= 4; left -= 4, at += 4) hash = hash * kRollingFactor + read_u32(at);
  if (left > 0) {
    uint8_t word[4] = {};
    std::memcpy(word, at, left);
    hash = hash * kRollingFactor + read_u32(word);
  }
  return hash;
}

void hash_blocks(std::span<const uint8_t> bytes, size_t block_size, std::span<uint8_t> hashes) {
  uint8_t* out = hashes.data();
  for (size_t at = 0; at < bytes.size(); at += block_size, out += kBlockHashSize) {
    const auto block = bytes.subspan(at, std::min(block_size, bytes.size() - at));
    write_u32(out, rolling_hash(block));
    write_u32(out + 4, simd::crc32c(block));
  }
}

}  // namespace dwcp::delta
