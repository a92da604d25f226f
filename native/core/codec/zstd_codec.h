// zstd (RFC 8878): plain, with a prefix, or with a dictionary, which exclude each other. One call
// makes or reads exactly one frame. Limits are held against the frame's own header before any
// output exists. Spans are borrowed for the call.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/block.h"
#include "core/codec/context_pool.h"
#include "core/codec/dictionary.h"
#include "core/error_code.h"

namespace dwcp::codec {

inline constexpr int kMinWindowLog = 10;
inline constexpr int kMaxWindowLog = 27;

struct CompressOptions {
  int level = kDefaultLevel;
  /// Raw bytes the frame may refer to; long-distance matching is on when there are any.
  std::span<const uint8_t> prefix = {};
  /// Its id is left out of the frame: whoever frames it names it.
  Shared<Dictionary> dictionary = {};
};

struct DecompressOptions {
  /// Exact decoded size.
  size_t size_bytes = 0;
  /// Largest window accepted, log2 bytes.
  int max_window_log = kMaxWindowLog;
  std::span<const uint8_t> prefix = {};
  Shared<Dictionary> dictionary = {};
};

/// Compresses `source` into the front of `target`, which shares no memory with the inputs, as one
/// frame with its content size and without a checksum; `size` is what it takes. OUTPUT_LIMIT when
/// it does not fit; after a failure `target` is undefined.
Status compress(ContextPool& pool, std::span<const uint8_t> source, const CompressOptions& options,
                std::span<uint8_t> target, size_t& size);

/// The same into memory of its own.
Status compress(ContextPool& pool, std::span<const uint8_t> source, const CompressOptions& options,
                Block& frame);

/// Holds `frame` against the limits without decoding it; `decompress` does this first, too.
Status check_frame(std::span<const uint8_t> frame, const DecompressOptions& options);

/// Decodes `frame` into `target`, which must have `options.size_bytes` and share no memory with the
/// inputs. After a failure its content
/// is undefined.
Status decompress(ContextPool& pool, std::span<const uint8_t> frame,
                  const DecompressOptions& options, std::span<uint8_t> target);

/// Version of the zstd compiled in, as in `1.5.7`.
const char* zstd_version();

}  // namespace dwcp::codec
