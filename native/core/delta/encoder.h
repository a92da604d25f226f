// Makes the payload of a delta. `Scanner` finds operations, a segment at a time; `prune` drops
// those that do not pay; what is left goes into columns, each compressed as hard as `Budget`
// allows. Memory beside the output is that of one segment.
//
//   payload  = version segment...                       until the content is complete
//   segment  = opCount coding literalSizesBytes copySizesBytes offsetsBytes
//              part(literalSizes) part(copySizes) part(offsets) part(literals) [part(differences)]
//
// Numbers are varints; `part` is in part.h, `coding` in segment.h. An offset is the zigzag distance
// of a copy from where it would lie if its new bytes had replaced as many; an empty copy has none.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/block.h"
#include "core/codec/context_pool.h"
#include "core/delta/base_index.h"
#include "core/delta/tuning.h"
#include "core/error_code.h"

namespace dwcp::delta {

struct EncodeOptions {
  Effort effort = Effort::kBalanced;
  /// Give up when more than this stays unmatched, bytes.
  size_t max_literal_bytes = SIZE_MAX;
};

/// Encodes `content` against `base`, from which `index` was built. When too little matches,
/// succeeds with an invalid block.
Status encode(codec::ContextPool& pool, const BaseIndex& index, std::span<const uint8_t> base,
              std::span<const uint8_t> content, const EncodeOptions& options,
              codec::Block& payload);

}  // namespace dwcp::delta
