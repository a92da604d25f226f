// Finds what of a value a peer already has, from the hashes of its blocks alone. Front to back: the
// block after the last one found is tried first, so that unchanged data costs two hashes a byte and
// no search; where that fails the rolling hash is looked up at every byte. Hashes come from a peer:
// a wrong or forged one gives a wrong copy, which the digest of the value shows, and never more
// than a bounded amount of work.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/column.h"
#include "core/delta/block_hash.h"
#include "core/delta/scanner.h"
#include "core/error_code.h"

namespace dwcp::delta {

/// The hashes of a base that is not here.
struct RemoteBase {
  std::span<const uint8_t> hashes;
  size_t block_size;
  /// Size of the base; there are hashes for each of its blocks.
  size_t size;
};

/// Appends the operations that make `content` from the base; new bytes behind the last copy have
/// none.
Status match_blocks(const RemoteBase& base, std::span<const uint8_t> content,
                    codec::Column<Op>& ops);

}  // namespace dwcp::delta
