// Finds what a record repeats of a dictionary and of itself: a greedy search like zstd's double
// hash, made for many records against one dictionary. A record takes nothing but small tables of
// its own, and a position costs four look-ups whose outcome is mostly told by a tag.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/block.h"
#include "core/codec/record_index.h"

namespace dwcp::codec {

/// A record as literals and repeats, as zstd's coders take it.
struct RecordParse {
  std::span<const uint8_t> literals;
  std::span<const SeqDef> sequences;
};

/// Not thread-safe.
class RecordMatcher {
 public:
  /// For CPUs that have BMI2 or for any; the result is the same.
  explicit RecordMatcher(bool bmi2 = ZSTD_cpuSupportsBmi2() != 0) : bmi2_(bmi2) {}

  /// Makes room for records of `content_size`; false when memory is short.
  bool reserve(size_t content_size);

  /// Parses `content`, for which there is room. The result lives until the next call.
  RecordParse parse(std::span<const uint8_t> content, const RecordIndex& index);

  /// Most sequences that any record there is room for can have.
  size_t max_sequences() const { return room_ / kLeastMatch + 1; }
  /// Memory held, bytes.
  size_t size_bytes() const { return memory_.bytes().size(); }

  /// Shortest repeat, bytes.
  static constexpr size_t kLeastMatch = 4;

 private:
  Block memory_;
  size_t room_ = 0;             // largest record
  uint16_t* tables_ = nullptr;  // two, by the size of a record
  SeqDef* sequences_ = nullptr;
  uint8_t* content_ = nullptr;
  uint8_t* literals_ = nullptr;
  const bool bmi2_;
};

}  // namespace dwcp::codec
