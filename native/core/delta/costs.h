// What a new byte costs, measured: whether a short copy from elsewhere is worth its offset depends
// on how well its bytes would compress as new ones, and that differs tenfold between tables and
// text.
#pragma once

#include <span>

#include "core/codec/context_pool.h"
#include "core/delta/scanner.h"

namespace dwcp::delta {

/// A copy that may not be worth it: a short one from elsewhere. `base_end` is where the copy before
/// it ended.
inline bool is_doubtful(const Op& op, size_t base_end) {
  constexpr size_t kSure = 256;
  return op.copy > 0 && op.copy < kSure && op.from != base_end + op.literal;
}

/// Bits a byte of a doubtful copy would take as a new one: the difference between a sample of the
/// new bytes compressed with and without them. `ops` make `content`.
float new_byte_bits(codec::ContextPool& pool, std::span<const uint8_t> content, size_t base_end,
                    std::span<const Op> ops);

}  // namespace dwcp::delta
