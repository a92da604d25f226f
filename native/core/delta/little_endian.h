// 32-bit words as they lie on the wire, at any alignment.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace dwcp::delta {

constexpr uint32_t in_wire_order(uint32_t word) {
  return std::endian::native == std::endian::little ? word : __builtin_bswap32(word);
}

inline uint32_t read_u32(const uint8_t* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return in_wire_order(word);
}

inline void write_u32(uint8_t* at, uint32_t word) {
  word = in_wire_order(word);
  std::memcpy(at, &word, sizeof word);
}

}  // namespace dwcp::delta
