// What goes into a dictionary: the segments of a training set that hold most of what its records
// have in common. After FastCover (zstd's dictBuilder) and "Effective Construction of Relative
// Lempel-Ziv Dictionaries" (Liao, Petri, Moffat, Wirth, WWW 2016). Differences: a d-mer counts once
// per record and not for the record it is in, and segments are trimmed to what helps.
// Deterministic.
#pragma once

#include "core/codec/block.h"
#include "core/codec/column.h"
#include "core/codec/samples.h"

namespace dwcp::codec {

class Cover {
 public:
  /// Counts in how many records each run of `dmer_bytes` (6 or 8) occurs. False when memory is
  /// short.
  bool count(const Samples& samples, uint32_t dmer_bytes);

  /// Fills `content` from its end with segments of up to `segment_bytes` of what was counted.
  /// Returns the bytes used; 0 when nothing is shared, or memory is short.
  size_t select(uint32_t segment_bytes, std::span<uint8_t> content);

 private:
  struct Segment {
    uint32_t begin = 0;  // of its first d-mer
    uint32_t end = 0;    // behind its last d-mer
    uint64_t score = 0;
  };

  uint32_t hash(size_t position) const;
  Segment best_segment(uint32_t begin, uint32_t end, uint32_t dmers);
  void trim(Segment& segment) const;
  void choose(uint32_t segment_bytes, size_t room, Column<Segment>& chosen);

  std::span<const uint8_t> bytes_;
  uint32_t dmer_bytes_ = 8;
  uint32_t dmers_ = 0;          // positions at which a d-mer starts
  Column<uint32_t> shared_;     // by hash: records besides its own that hold the d-mer
  Column<uint32_t> left_;       // the same without what chosen segments hold
  Column<uint16_t> in_window_;  // by hash: occurrences in the window
};

}  // namespace dwcp::codec
