// Decoding under limits. Half of the inputs are taken as frames as they are; the other half are
// compressed first and then damaged, so that damage reaches behind the header. Any code is fine; a
// crash or a stray write is not.
#include <vector>

#include "core/codec/zstd_codec.h"

namespace {

using dwcp::codec::Block;
using Bytes = std::vector<uint8_t>;

constexpr size_t kControlBytes = 8;
constexpr size_t kMaxOutput = size_t{1} << 20;

dwcp::codec::ContextPool& pool() {
  static dwcp::codec::ContextPool contexts;
  return contexts;
}

void decode(const Bytes& frame, size_t size, int window_log, std::span<const uint8_t> prefix) {
  Bytes target(size);
  const dwcp::codec::DecompressOptions options{size, window_log, prefix};
  static_cast<void>(dwcp::codec::decompress(pool(), frame, options, target));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kControlBytes) return 0;
  const uint8_t* control = data;
  const std::span body(data + kControlBytes, size - kControlBytes);
  const auto prefix = body.first(body.size() * (control[1] % 4) / 8);
  const auto content = body.subspan(prefix.size());
  const int window_log = dwcp::codec::kMinWindowLog + control[2] % 18;
  if (control[0] % 2 == 0) {
    const size_t claimed = (size_t{control[3]} << 12 | control[4]) % kMaxOutput;
    decode(Bytes(content.begin(), content.end()), claimed, window_log, prefix);
    return 0;
  }
  Block block;
  const dwcp::codec::CompressOptions options{control[3] % 8, prefix};
  if (!dwcp::codec::compress(pool(), content, options, block).ok()) return 0;
  Bytes frame(block.bytes().begin(), block.bytes().end());
  for (int i = 4; i < 8; ++i) {
    const size_t at = size_t{control[i]} * frame.size() / 256;
    frame[at] ^= control[i] ^ control[0];
  }
  decode(frame, content.size(), window_log, prefix);
  return 0;
}
