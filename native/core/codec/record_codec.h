// Records: small values in the short form of the codec frame (record_format.h), one call each, with
// header, dictionary and checksum written straight into the target. Contexts live as long as the
// codec, so that a call allocates nothing. Not thread-safe: one codec per thread at a time.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/block.h"
#include "core/codec/dictionary.h"
#include "core/codec/record_block.h"
#include "core/codec/record_block_reader.h"
#include "core/codec/record_format.h"
#include "core/codec/record_matcher.h"
#include "core/error_code.h"

namespace dwcp::codec {

struct RecordOptions {
  int level = kDefaultLevel;
  /// Whether a CRC-32C of the content goes into the frame.
  bool checked = true;
};

/// Where a batch stands: what was done, and at a failure the index of the record that failed.
struct BatchProgress {
  size_t records = 0;
  size_t bytes = 0;
};

/// Records end to end in one arena.
struct RecordArena {
  std::span<const uint8_t> bytes;
  std::span<const uint32_t> lengths;
};

/// Where a batch writes: records end to end, and as many lengths as there are records.
struct RecordTarget {
  std::span<uint8_t> bytes;
  std::span<uint32_t> lengths;
};

class RecordCodec {
 public:
  RecordCodec() = default;
  RecordCodec(const RecordCodec&) = delete;
  RecordCodec& operator=(const RecordCodec&) = delete;
  ~RecordCodec();

  /// Encodes `content`, at most kMaxRecordBytes, into `target`, which shares no memory with it.
  /// OUTPUT_LIMIT when the frame does not fit, and `target` is left as it was. `size` is what the
  /// frame takes. `dictionary` may be null.
  Status encode(std::span<const uint8_t> content, const Dictionary* dictionary,
                const RecordOptions& options, std::span<uint8_t> target, size_t& size);

  /// Decodes and verifies `frame` into `target`, which shares no memory with it. OUTPUT_LIMIT when
  /// the content is larger than `target` or `max_output`; DICTIONARY_MISMATCH when the frame names
  /// a dictionary other than `dictionary`; both before any work. After any failure `target` is as
  /// it was.
  Status decode(std::span<const uint8_t> frame, const Dictionary* dictionary, size_t max_output,
                std::span<uint8_t> target, size_t& size);

  /// Encodes the records of `arena` one after the other; `progress` is right after a failure, too.
  Status encode_batch(const RecordArena& arena, const Dictionary* dictionary,
                      const RecordOptions& options, const RecordTarget& target,
                      BatchProgress& progress);

  /// Decodes frames; each names one of `dictionaries` or none. `max_output` bounds them together.
  Status decode_batch(const RecordArena& arena, std::span<const Shared<Dictionary>> dictionaries,
                      size_t max_output, const RecordTarget& target, BatchProgress& progress);

  /// Memory held, bytes.
  size_t size_bytes() const;

 private:
  Status compress_block(std::span<const uint8_t> content, const Dictionary* dictionary, int level,
                        std::span<uint8_t> target, size_t& size);
  Status compress_indexed(std::span<const uint8_t> content, const RecordIndex& index,
                          std::span<uint8_t> target, size_t& size);

  RecordMatcher matcher_;  // with a dictionary, at the usual levels
  RecordBlockWriter writer_;
  RecordBlockReader reader_;
  ZSTD_CCtx* encoder_ = nullptr;
  Block scratch_;  // for targets that may turn out too small
};

/// Content bytes that the frames of `arena` claim together; held against `max_output`.
Status batch_content_size(const RecordArena& arena, size_t max_output, BatchProgress& progress);

}  // namespace dwcp::codec
