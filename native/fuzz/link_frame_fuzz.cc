// The link-frame reader: bytes cut in any way, or read to where they belong, give the same frames
// and the same end, every payload fits its check, and all memory comes back. The first byte chooses
// the cuts.
#include <algorithm>
#include <cstdlib>

#include "test/io_frames.h"

namespace {

using dwcp::test::Pieces;

/// Sets the CRCs right where a header is, so that the fuzzer gets past them.
void mend(std::vector<uint8_t>& bytes) {
  using namespace dwcp::io;
  size_t at = kPrefaceSize;
  while (at + kHeaderSize <= bytes.size()) {
    const FrameHeader header = read_header(bytes.data() + at);
    if (header.length > bytes.size() - at - kHeaderSize) return;
    const std::span<const uint8_t> payload(bytes.data() + at + kHeaderSize, header.length);
    store_le<uint32_t>(bytes.data() + at + kCrcOffset, frame_crc(bytes.data() + at, payload));
    at += kHeaderSize + header.length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = data[0] % 64 + 1;
  std::vector<uint8_t> bytes(data + 1, data + size);
  if (data[0] >= 64) {
    constexpr uint8_t kPreface[] = {'D', 'W', 'C', 'P', 1, 1, 0, 0};
    bytes.insert(bytes.begin(), std::begin(kPreface), std::end(kPreface));
  }
  if (data[0] >= 128) mend(bytes);

  Pieces whole;
  const auto end = whole.feed(bytes);
  Pieces cut;
  for (size_t at = 0; at < bytes.size(); at += step) {
    cut.feed(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
  }
  Pieces placed;
  placed.place(bytes, step);
  for (const Pieces* other : {&cut, &placed}) {
    if (other->reader.error() != end || other->frames != whole.frames) std::abort();
  }
  // A broken link has no boundary to speak of.
  const bool same_place = cut.reader.at_boundary() == whole.reader.at_boundary() &&
                          placed.reader.at_boundary() == whole.reader.at_boundary();
  if (end == dwcp::ErrorCode::kNone && !same_place) std::abort();
  for (const auto& frame : whole.frames) {
    if (frame.payload.size() > dwcp::io::kMaxPayload) std::abort();
    const auto length = static_cast<uint32_t>(frame.payload.size());
    const dwcp::io::FrameHeader header{length, frame.kind, frame.flags, frame.channel,
                                       frame.stream};
    if (dwcp::io::check_header(header) != dwcp::ErrorCode::kNone) std::abort();
  }
  if (whole.give_back() + cut.give_back() + placed.give_back() != 0) std::abort();
  return 0;
}
