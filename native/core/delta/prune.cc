// See prune.h.
#include "core/delta/prune.h"

#include <algorithm>

namespace dwcp::delta {

void prune(std::span<const uint8_t> base, std::span<const uint8_t> content, size_t base_end,
           const PruneOptions& options, codec::Column<Op>& ops) {
  size_t kept = 0;
  size_t waiting = 0;
  size_t at = 0;
  for (size_t i = 0; i < ops.size(); ++i) {
    Op op = ops[i];
    at += op.literal;
    size_t literal = waiting + op.literal;
    if (waiting > 0 && op.copy > 0) {
      const size_t reach = std::min<size_t>(literal, op.from);
      const size_t back = simd::common_backward(base.data() + op.from, content.data() + at, reach);
      literal -= back;
      op.from -= static_cast<uint32_t>(back);
      op.copy += static_cast<uint32_t>(back);
      at -= back;
    }
    at += op.copy;
    const bool elsewhere = op.copy > 0 && op.from != base_end + literal;
    if (elsewhere && i + 1 < ops.size()) {
      const Op& next = ops[i + 1];
      const bool returns =
          next.copy > 0 && next.from == base_end + literal + op.copy + next.literal;
      if (op.copy < (returns ? options.min_excursion : options.min_elsewhere)) {
        waiting = literal + op.copy;
        continue;
      }
    }
    ops[kept++] = {static_cast<uint32_t>(literal), op.copy, op.from};
    if (op.copy > 0) base_end = size_t{op.from} + op.copy;
    waiting = 0;
  }
  ops.truncate(kept);
}

}  // namespace dwcp::delta
