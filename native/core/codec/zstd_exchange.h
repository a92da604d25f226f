// Plain zstd frames (RFC 8878) to and from other programs. What comes in may be several frames,
// skippable ones among them, with or without content size, checksum and dictionary id. Every limit
// is held against the headers first; memory for unknown sizes is reserved up to the limit, and
// touched only as far as there is output.
#pragma once

#include "core/codec/block.h"
#include "core/codec/context_pool.h"
#include "core/codec/dictionary.h"
#include "core/error_code.h"
#include "core/shared.h"

namespace dwcp::codec {

struct ExportOptions {
  int level = kDefaultLevel;
  /// Whether the frame ends in a checksum of the content.
  bool checksum = true;
  /// Named in the frame when it was trained.
  Shared<Dictionary> dictionary = {};
};

struct ImportOptions {
  /// Largest size of all content together.
  size_t max_output = 0;
  /// Largest window accepted, log2 bytes.
  int max_window_log = 0;
  Shared<Dictionary> dictionary = {};
};

/// Compresses `source` into one frame that any zstd reads.
Status export_frame(ContextPool& pool, std::span<const uint8_t> source,
                    const ExportOptions& options, Block& frame);

/// The content of all frames in `frames`, one after the other; `content` stays without memory when
/// there is none.
Status import_frames(ContextPool& pool, std::span<const uint8_t> frames,
                     const ImportOptions& options, Block& content);

}  // namespace dwcp::codec
