// Writes a parsed record as the inside of a zstd block. Where the dictionary's tables can say
// everything, as those of every trainer can, they are used as they are, which small records need
// most; otherwise zstd's own rules choose.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/codec/block.h"
#include "core/codec/record_matcher.h"
#include "core/codec/record_sequences.h"
#include "core/codec/zstd_internal.h"

namespace dwcp::codec {

/// Not thread-safe.
class RecordBlockWriter {
 public:
  /// Makes room for `max_sequences`; false when memory is short.
  bool reserve(size_t max_sequences);

  /// Writes `parse`, for which there is room, of `content_size` bytes behind the tables of
  /// `before`. The bytes written, 0 when that saves nothing or does not fit.
  size_t write(const RecordParse& parse, size_t content_size, const ZSTD_entropyCTables_t& before,
               std::span<uint8_t> target);

  /// Memory held, bytes.
  size_t size_bytes() const { return memory_.bytes().size(); }

 private:
  struct Tables;
  /// One of the three kinds of code of a sequence.
  struct Kind;

  size_t write_literals(std::span<const uint8_t> literals, size_t sequences,
                        const ZSTD_hufCTables_t& before, std::span<uint8_t> target);
  void list_codes(std::span<const SeqDef> sequences);
  size_t write_tables(std::span<const SeqDef> sequences, const ZSTD_fseCTables_t& before,
                      std::span<uint8_t> target, SequenceTables& tables, size_t& last);
  size_t write_sequences(std::span<const SeqDef> sequences, const ZSTD_fseCTables_t& before,
                         std::span<uint8_t> target);
  bool choose(Kind& kind, size_t sequences, std::span<uint8_t> target, size_t& written);

  Block memory_;
  Tables* tables_ = nullptr;
  BYTE* codes_ = nullptr;  // three arrays
  size_t room_ = 0;        // sequences
  bool bmi2_ = ZSTD_cpuSupportsBmi2() != 0;
};

}  // namespace dwcp::codec
