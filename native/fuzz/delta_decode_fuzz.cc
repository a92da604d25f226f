// The delta decoder on arbitrary payloads, and on real ones with damage. Any code is fine; a crash,
// a stray write or a long run is not.
#include <vector>

#include "core/delta/decoder.h"
#include "core/delta/encoder.h"

namespace {

using dwcp::codec::Block;
using Bytes = std::vector<uint8_t>;

constexpr size_t kControlBytes = 8;
constexpr size_t kMaxOutput = size_t{1} << 18;

dwcp::codec::ContextPool& pool() {
  static dwcp::codec::ContextPool contexts;
  return contexts;
}

void decode(const Bytes& payload, std::span<const uint8_t> base, size_t size, uint8_t limit) {
  // Exact heap blocks, so that every stray byte is seen.
  const Bytes exact_base(base.begin(), base.end());
  Bytes target(size);
  const dwcp::delta::DecodeLimits limits{size_t{limit} << 6, 10 + limit % 18};
  static_cast<void>(dwcp::delta::decode(pool(), exact_base, payload, limits, target).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kControlBytes) return 0;
  const uint8_t* control = data;
  const std::span body(data + kControlBytes, size - kControlBytes);
  const auto base = body.first(body.size() * (control[1] % 8) / 8);
  const auto rest = body.subspan(base.size());
  if (control[0] % 2 == 0) {
    const size_t claimed = (size_t{control[2]} << 10 | control[3]) % kMaxOutput;
    decode(Bytes(rest.begin(), rest.end()), base, claimed, control[4]);
    return 0;
  }
  dwcp::delta::BaseIndex index;
  if (!dwcp::delta::BaseIndex::build(base, index).ok()) return 0;
  // The content: the base with the rest in the middle, so that there are copies.
  const auto cut = base.first(base.size() * control[2] / 256);
  Bytes content(cut.begin(), cut.end());
  content.insert(content.end(), rest.begin(), rest.end());
  content.insert(content.end(), base.begin() + static_cast<ptrdiff_t>(cut.size() / 2), base.end());
  Block block;
  if (!dwcp::delta::encode(pool(), index, base, content, {}, block).ok()) return 0;
  Bytes payload(block.bytes().begin(), block.bytes().end());
  for (int i = 3; i < 7; ++i) {
    payload[size_t{control[i]} * payload.size() / 256] ^= control[i + 1] & control[0];
  }
  decode(payload, base, content.size(), control[7]);
  return 0;
}
