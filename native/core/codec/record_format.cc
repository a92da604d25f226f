// A CRC of eight bits finds every damage to a single byte, whatever the byte becomes; what a flip
// makes of the mark, the version or the kind of checksum is named before that.
#include "core/codec/record_format.h"

namespace dwcp::codec {
namespace {

constexpr uint8_t kMark = 0xDC;
constexpr unsigned kVersion = 1;
constexpr unsigned kChecksumMask = 3;
constexpr unsigned kCrc32c = 3;
constexpr unsigned kCoded = 1 << 2;
constexpr unsigned kDictionary = 1 << 3;
constexpr unsigned kVersionShift = 4;
constexpr size_t kWordBytes = 4;

constexpr std::array<uint8_t, 256> make_crc8_table() {
  std::array<uint8_t, 256> table{};
  for (unsigned value = 0; value < table.size(); ++value) {
    unsigned crc = value;
    for (int bit = 0; bit < 8; ++bit) crc = crc << 1 ^ (crc & 0x80 ? 7 : 0);
    table[value] = static_cast<uint8_t>(crc);
  }
  return table;
}

constexpr auto kCrc8 = make_crc8_table();

uint8_t crc8(const uint8_t* bytes, size_t size) {
  uint8_t crc = 0;
  for (size_t i = 0; i < size; ++i) crc = kCrc8[crc ^ bytes[i]];
  return crc;
}

uint8_t* put_word(uint8_t* at, uint32_t word) {
  for (size_t i = 0; i < kWordBytes; ++i) *at++ = static_cast<uint8_t>(word >> 8 * i);
  return at;
}

uint32_t get_word(const uint8_t* at) {
  return at[0] | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24;
}

constexpr Status corrupt(const char* message) { return {ErrorCode::FRAME_CORRUPT, message}; }
constexpr Status kTruncated = corrupt("record frame: truncated");

}  // namespace

size_t record_header_size(const RecordHeader& header) {
  const size_t varint = header.content_size < 1 << 7 ? 1 : header.content_size < 1 << 14 ? 2 : 3;
  const size_t words = (header.dictionary_id != 0 ? 1 : 0) + (header.checked ? 1 : 0);
  return 2 + varint + words * kWordBytes + 1;
}

void write_record_header(const RecordHeader& header, uint8_t* const start) {
  uint8_t* at = start;
  const unsigned flags = (header.checked ? kCrc32c : 0) | (header.coded ? kCoded : 0) |
                         (header.dictionary_id != 0 ? kDictionary : 0);
  *at++ = kMark;
  *at++ = static_cast<uint8_t>(flags | kVersion << kVersionShift);
  size_t rest = header.content_size;
  for (; rest >= 0x80; rest >>= 7) *at++ = static_cast<uint8_t>(rest | 0x80);
  *at++ = static_cast<uint8_t>(rest);
  if (header.dictionary_id != 0) at = put_word(at, header.dictionary_id);
  if (header.checked) at = put_word(at, header.checksum);
  *at = crc8(start, static_cast<size_t>(at - start));
}

Status read_record_header(std::span<const uint8_t> frame, RecordHeader& header, size_t& size) {
  if (frame.empty() || frame[0] != kMark) return {ErrorCode::FRAME_MAGIC, "not a record frame"};
  if (frame.size() < 2) return kTruncated;
  const unsigned flags = frame[1];
  if (flags >> kVersionShift != kVersion) {
    return {ErrorCode::FRAME_VERSION, "record frame: the version is not known"};
  }
  const unsigned checksum = flags & kChecksumMask;
  if (checksum != 0 && checksum != kCrc32c) {
    return {ErrorCode::FRAME_FLAGS, "record frame: the kind of checksum is not known"};
  }
  size_t at = 2;
  size_t content = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (at == frame.size()) return kTruncated;
    const uint8_t next = frame[at++];
    content |= size_t{next & 0x7Fu} << shift;
    if (next < 0x80) {
      if (next == 0 && shift > 0) return corrupt("record frame: varint not minimal");
      break;
    }
    if (shift == 14) return corrupt("record frame: varint too large");
  }
  header.coded = (flags & kCoded) != 0;
  header.checked = checksum != 0;
  header.content_size = content;
  const bool named = (flags & kDictionary) != 0;
  const size_t words = (named ? 1 : 0) + (header.checked ? 1 : 0);
  if (frame.size() - at < words * kWordBytes + 1) return kTruncated;
  header.dictionary_id = named ? get_word(&frame[at]) : 0;
  if (named) at += kWordBytes;
  header.checksum = header.checked ? get_word(&frame[at]) : 0;
  if (header.checked) at += kWordBytes;
  if (frame[at] != crc8(frame.data(), at)) {
    return {ErrorCode::FRAME_CHECKSUM, "record frame: the header is damaged"};
  }
  if (content > kMaxRecordBytes) return corrupt("record frame: larger than a record");
  if (header.coded && content == 0) return corrupt("record frame: empty content is not coded");
  if (named && header.dictionary_id == 0) return corrupt("record frame: no dictionary has id 0");
  if (named && !header.coded) return corrupt("record frame: a dictionary and no coded payload");
  size = at + 1;
  return {};
}

}  // namespace dwcp::codec
