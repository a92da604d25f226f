// LEB128 varints of at most 32 bits, minimal form only, and the zigzag form of a signed difference.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/column.h"

namespace dwcp::delta {

inline constexpr size_t kMaxVarintSize = 5;

/// Appends `value`, which is below 2^32.
inline void write_varint(codec::Column<uint8_t>& out, size_t value) {
  for (; value >= 0x80; value >>= 7) out.push(static_cast<uint8_t>(value | 0x80));
  out.push(static_cast<uint8_t>(value));
}

/// Signed differences as unsigned numbers, small ones small.
inline uint32_t zigzag(int64_t value) { return static_cast<uint32_t>(value << 1 ^ value >> 63); }
inline int64_t unzigzag(uint32_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

/// Reads front to back and never past its end; a bad read makes `ok` false for good.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  uint32_t byte() {
    if (at_ == end_) return fail();
    return *at_++;
  }

  uint32_t varint() {
    if (at_ == end_) return fail();
    if (*at_ < 0x80) return *at_++;
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && at_ != end_; shift += 7) {
      const uint64_t next = *at_++;
      value |= (next & 0x7f) << shift;
      if (next >= 0x80) continue;
      if (next == 0 || value > UINT32_MAX) return fail();
      return static_cast<uint32_t>(value);
    }
    return fail();
  }

  std::span<const uint8_t> take(size_t count) {
    if (count > remaining()) {
      fail();
      return {};
    }
    at_ += count;
    return {at_ - count, count};
  }

 private:
  uint32_t fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
};

}  // namespace dwcp::delta
