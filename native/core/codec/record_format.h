// The short form of the codec frame, for records of up to 64 KiB; lib/native/record-frame.ts is its
// other half and docs/compression.md describes it:
//
//   0xDC  flags  contentSize  [dictionary 4]  [checksum 4]  headerCheck  payload
//
// flags: bits 0-1 kind of checksum (0 none, 3 CRC-32C of the content), bit 2 the payload is the
// inside of the only block of a zstd frame (else the content itself), bit 3 dictionary id present,
// bits 4-7 version. contentSize is a minimal varint, numbers are little-endian, headerCheck is
// CRC-8 (polynomial 7) of what precedes it. The carrier knows where the frame ends.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/error_code.h"

namespace dwcp::codec {

inline constexpr size_t kMaxRecordBytes = size_t{64} << 10;
inline constexpr size_t kMaxRecordHeader = 14;

/// Frame size that is always enough for `content_size` bytes.
constexpr size_t record_bound(size_t content_size) { return content_size + kMaxRecordHeader; }

struct RecordHeader {
  bool coded = false;
  bool checked = false;
  size_t content_size = 0;
  /// 0 for none.
  uint32_t dictionary_id = 0;
  /// CRC-32C of the content, where `checked`.
  uint32_t checksum = 0;
};

/// Bytes `header` takes.
size_t record_header_size(const RecordHeader& header);

/// Writes `header` to `at`, which has room for it.
void write_record_header(const RecordHeader& header, uint8_t* at);

/// Reads and checks the header at the front of `frame`; `size` is what it takes.
Status read_record_header(std::span<const uint8_t> frame, RecordHeader& header, size_t& size);

}  // namespace dwcp::codec
