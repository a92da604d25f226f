// Takes back copies that cost more than they save. A short copy from elsewhere costs an offset,
// often a second one to come back, and the bytes compress well as new ones when there are many like
// them.
#pragma once

#include <span>

#include "core/codec/column.h"
#include "core/delta/scanner.h"

namespace dwcp::delta {

struct PruneOptions {
  /// Shortest copy from elsewhere that stays, bytes.
  size_t min_elsewhere;
  /// Shortest one that stays when the next copy is back at the alignment before, bytes.
  size_t min_excursion;
};

/// Merges such copies into the new bytes of the operation behind them, whose copy then reaches back
/// over what of them it can. The operations make `content`, and `base_end` is where the copy before
/// them ended.
void prune(std::span<const uint8_t> base, std::span<const uint8_t> content, size_t base_end,
           const PruneOptions& options, codec::Column<Op>& ops);

}  // namespace dwcp::delta
