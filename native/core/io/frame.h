// The link frame: u32 payload length, u8 kind, u8 flags, u16 channel, u32 stream, u32 CRC-32C over
// header (that field zero) and payload; little-endian, at most 64 KiB of payload. Each direction of
// a socket begins with an 8-byte preface. The same as lib/transport/envelope.ts; a test compares.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "core/error_code.h"
#include "core/simd/crc32c.h"

namespace dwcp::io {

inline constexpr size_t kHeaderSize = 16;
inline constexpr size_t kPrefaceSize = 8;
inline constexpr uint32_t kMaxPayload = 64 * 1024;
inline constexpr uint32_t kMagic = 0x50435744;  // "DWCP" read little-endian
inline constexpr size_t kCrcOffset = 12;

struct FrameHeader {
  uint32_t length = 0;
  uint8_t kind = 0;
  uint8_t flags = 0;
  uint16_t channel = 0;
  uint32_t stream = 0;

  bool operator==(const FrameHeader&) const = default;
};

template <typename T>
T load_le(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <typename T>
void store_le(uint8_t* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

inline FrameHeader read_header(const uint8_t* bytes) {
  return {load_le<uint32_t>(bytes), bytes[4], bytes[5], load_le<uint16_t>(bytes + 6),
          load_le<uint32_t>(bytes + 8)};
}

/// What is wrong with the fields, before anything is allocated for them.
inline ErrorCode check_header(const FrameHeader& header) {
  constexpr uint8_t kData = 1;
  constexpr uint8_t kChunk = 8;
  constexpr uint8_t kBundle = 9;
  constexpr uint8_t kPriorityBits = 0xc0;
  constexpr uint8_t kDataFlags = kPriorityBits | 0x1f;
  if (header.length > kMaxPayload) return ErrorCode::LIMIT;
  if (header.kind < kData || header.kind > kBundle) return ErrorCode::FRAME_KIND;
  const uint8_t allowed =
      header.kind == kData || header.kind == kChunk ? kDataFlags : kPriorityBits;
  return (header.flags & ~allowed) == 0 ? ErrorCode::kNone : ErrorCode::FRAME_FLAGS;
}

/// CRC of a frame whose header is at `header`; its CRC field is taken as zero.
inline uint32_t frame_crc(const uint8_t* header, std::span<const uint8_t> payload) {
  uint8_t zeroed[kHeaderSize];
  std::memcpy(zeroed, header, kCrcOffset);
  store_le<uint32_t>(zeroed + kCrcOffset, 0);
  return simd::crc32c(payload, simd::crc32c({zeroed, kHeaderSize}));
}

/// Writes the header that goes before `payload`; under TLS its CRC is zero.
inline void write_header(const FrameHeader& header, std::span<const uint8_t> payload, uint8_t* out,
                         bool checksum = true) {
  store_le<uint32_t>(out, header.length);
  out[4] = header.kind;
  out[5] = header.flags;
  store_le<uint16_t>(out + 6, header.channel);
  store_le<uint32_t>(out + 8, header.stream);
  store_le<uint32_t>(out + kCrcOffset, checksum ? frame_crc(out, payload) : 0);
}

}  // namespace dwcp::io
