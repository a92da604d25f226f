// Reads the inside of a zstd block back into a record. Literals and tables are read by zstd; the
// sequences, which take most of the time, are decoded and carried out here, into a buffer with
// margins, so that everything is copied in whole words.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/block.h"
#include "core/codec/zstd_internal.h"

namespace dwcp::codec {

/// Not thread-safe.
class RecordBlockReader {
 public:
  /// Bytes before a block that must be readable.
  static constexpr size_t kReadBefore = 4;

  /// For CPUs that have BMI2 or for any; the result is the same.
  explicit RecordBlockReader(bool bmi2 = ZSTD_cpuSupportsBmi2() != 0) : bmi2_(bmi2) {}
  RecordBlockReader(const RecordBlockReader&) = delete;
  RecordBlockReader& operator=(const RecordBlockReader&) = delete;
  ~RecordBlockReader() { ZSTD_freeDCtx(context_); }

  /// Makes room for records of `content_size` bytes; false when memory is short.
  bool reserve(size_t content_size);

  /// What `block` says, where that is exactly `content_size` bytes, for which there is room; else,
  /// as the block is damaged, nothing. Valid until the next call. The content of `dictionary`,
  /// which may be null, is followed by `kDictionaryMargin` readable bytes.
  std::span<const uint8_t> read(std::span<const uint8_t> block, const ZSTD_DDict* dictionary,
                                size_t content_size);

  /// Memory held, bytes.
  size_t size_bytes() const { return content_.bytes().size() + ZSTD_sizeof_DCtx(context_); }

 private:
  ZSTD_DCtx* context_ = nullptr;
  Block content_;
  size_t room_ = 0;
  const bool bmi2_;
};

}  // namespace dwcp::codec
