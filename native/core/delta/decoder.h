// Rebuilds content from a base and a payload of encoder.h. Everything a payload claims is held
// against the caller's limits before memory is taken for it, and every operation against base and
// content before a byte is written; beside the target, memory is that of one segment.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/context_pool.h"
#include "core/error_code.h"
#include "core/simd/xxh3.h"

namespace dwcp::delta {

struct DecodeLimits {
  /// Most operations.
  size_t max_ops = size_t{8} << 20;
  /// Largest window of a part, log2 bytes.
  int max_window_log = 27;
};

/// Decodes `payload` against `base` into exactly `target`, which must share no memory with the
/// inputs. After a failure its content is undefined. Where `digest` is given it becomes that of the
/// content, taken while the bytes are in the cache.
Status decode(codec::ContextPool& pool, std::span<const uint8_t> base,
              std::span<const uint8_t> payload, const DecodeLimits& limits,
              std::span<uint8_t> target, simd::Digest128* digest = nullptr);

}  // namespace dwcp::delta
