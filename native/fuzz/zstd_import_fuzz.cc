// Import of frames of other programs, under limits: bytes as they come, and frames that were
// exported, put end to end with skippable ones and damaged. What was not damaged must come back.
// The content never passes the limit.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/codec/zstd_codec.h"
#include "core/codec/zstd_exchange.h"

namespace {

using namespace dwcp::codec;
using Bytes = std::vector<uint8_t>;
using Span = std::span<const uint8_t>;

constexpr size_t kControlBytes = 8;

ContextPool& pool() {
  static ContextPool contexts;
  return contexts;
}

Block import_all(Span frames, size_t max_output, int window_log) {
  Block content;
  ImportOptions options{.max_output = max_output, .max_window_log = window_log};
  static_cast<void>(import_frames(pool(), frames, options, content));
  if (content.valid() && content.bytes().size() > max_output) std::abort();
  return content;
}

void append(Bytes& frames, Span content, const uint8_t* control) {
  Block frame;
  const ExportOptions options{.level = control[3] % 8 - 2, .checksum = control[2] % 2 == 0};
  if (!export_frame(pool(), content, options, frame).ok()) std::abort();
  frames.insert(frames.end(), frame.bytes().begin(), frame.bytes().end());
}

void append_skippable(Bytes& frames, uint8_t size) {
  const Bytes header{static_cast<uint8_t>(0x50 | (size & 15)), 0x2a, 0x4d, 0x18, size, 0, 0, 0};
  frames.insert(frames.end(), header.begin(), header.end());
  frames.insert(frames.end(), size, size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kControlBytes) return 0;
  const uint8_t* control = data;
  const Span body(data + kControlBytes, size - kControlBytes);
  const int window_log = kMinWindowLog + control[1] % 18;
  if (control[0] % 2 == 0) {
    import_all(body, size_t{control[3]} << (control[2] % 13), window_log);
    return 0;
  }
  const auto first = body.first(body.size() * control[4] / 256);
  Bytes frames;
  append(frames, first, control);
  if (control[5] % 2 == 0) append_skippable(frames, control[5]);
  append(frames, body.subspan(first.size()), control);
  const Block whole = import_all(frames, body.size(), kMaxWindowLog);
  const auto content = whole.bytes();
  if (!std::equal(content.begin(), content.end(), body.begin(), body.end())) std::abort();
  for (int i = 5; i < 8; ++i) frames[size_t{control[i]} * frames.size() / 256] ^= control[i];
  import_all(frames, body.size() + 1, window_log);
  return 0;
}
