// Matching against hashes that are real, damaged or arbitrary. Copies must stay within base and
// content whatever the hashes say, and honest ones rebuild the content.
#include <vector>

#include "core/delta/block_match.h"

namespace {

using dwcp::codec::Column;
using dwcp::delta::Op;
using Bytes = std::vector<uint8_t>;

constexpr size_t kControlBytes = 4;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

void check(const Bytes& base, const Bytes& content, const Column<Op>& ops, bool honest) {
  size_t at = 0;
  for (const Op& op : ops.values()) {
    require(op.literal <= content.size() - at);
    at += op.literal;
    require(op.copy > 0 && op.copy <= content.size() - at);
    require(op.from <= base.size() && op.copy <= base.size() - op.from);
    const bool equal = std::equal(content.begin() + static_cast<ptrdiff_t>(at),
                                  content.begin() + static_cast<ptrdiff_t>(at + op.copy),
                                  base.begin() + static_cast<ptrdiff_t>(op.from));
    require(equal || !honest);
    at += op.copy;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kControlBytes) return 0;
  const uint8_t* control = data;
  const Bytes body(data + kControlBytes, data + size);
  const auto cut = body.begin() + static_cast<ptrdiff_t>(body.size() * control[0] / 256);
  const Bytes base(body.begin(), cut);
  Bytes content(cut, body.end());
  content.insert(content.end(), body.begin(), cut - (cut - body.begin()) / 3);
  const size_t block_size = size_t{64} << control[1] % 4;
  Bytes hashes(dwcp::delta::block_count(base.size(), block_size) * dwcp::delta::kBlockHashSize);
  dwcp::delta::hash_blocks(base, block_size, hashes);
  const bool honest = control[2] == 0 || hashes.empty();
  if (!honest) hashes[hashes.size() * control[3] / 256] ^= control[2];
  Column<Op> ops;
  require(dwcp::delta::match_blocks({hashes, block_size, base.size()}, content, ops).ok());
  check(base, content, ops, honest);
  return 0;
}
