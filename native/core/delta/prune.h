// Takes back copies that cost more than they save: a short copy from elsewhere costs an offset and
// often a second one to come back. The cheapest choice of copies is found by dynamic programming;
// each copy that stays follows one of the few before it.
#pragma once

#include <span>

#include "core/codec/column.h"
#include "core/delta/scanner.h"

namespace dwcp::delta {

/// Keeps the copies of `ops` that are worth it, when a new byte costs `literal_bits`, and lets them
/// reach back over the new bytes before them. The operations make `content`, and `base_end` is
/// where the copy before them ended. False when memory is short.
bool prune(std::span<const uint8_t> base, std::span<const uint8_t> content, size_t base_end,
           float literal_bits, codec::Column<Op>& ops);

}  // namespace dwcp::delta
