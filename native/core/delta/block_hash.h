// Hashes of the blocks of a value, for a peer that holds no common base (Tridgell, "Efficient
// Algorithms for Sorting and Synchronization", 1999, chapter 3). Blocks are aligned and of equal
// size, a power of two; the last may be shorter. Each has a rolling hash, a polynomial over its
// little-endian 32-bit words (zeros fill the last) modulo 2^32, and its CRC-32C. Together 64 bits:
// enough against accidents; who fears forgery verifies the rebuilt value by its digest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::delta {

inline constexpr size_t kMinBlockSize = 64;
inline constexpr size_t kMaxBlockSize = size_t{64} << 10;
/// Stored size of one block's hashes: rolling, then CRC-32C, little-endian.
inline constexpr size_t kBlockHashSize = 8;

/// Odd factor of the polynomial.
inline constexpr uint32_t kRollingFactor = 0x2c1b3c6d;

constexpr size_t block_count(size_t size, size_t block_size) {
  return size / block_size + (size % block_size != 0 ? 1 : 0);
}

/// Rolling hash of `block`.
uint32_t rolling_hash(std::span<const uint8_t> block);

/// Hashes every block of `bytes` into `hashes`, of `kBlockHashSize` for each.
void hash_blocks(std::span<const uint8_t> bytes, size_t block_size, std::span<uint8_t> hashes);

}  // namespace dwcp::delta
