// What both sides derive from a stretch of operations: which new bytes are coded as differences
// from the base, and which of the base they replace.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/codec/column.h"
#include "core/delta/scanner.h"

namespace dwcp::delta {

inline constexpr uint8_t kVersion = 2;

/// A segment ends when it has this many operations or new bytes: it bounds memory on both sides.
inline constexpr size_t kMaxSegmentOps = size_t{1} << 18;
inline constexpr size_t kMaxSegmentLiterals = size_t{1} << 20;

/// Longest prefix of a segment's new bytes: a quarter of the content, between these, bytes.
inline constexpr size_t kLeastMaxPrefix = size_t{64} << 10;
inline constexpr size_t kMostMaxPrefix = size_t{2} << 20;
inline constexpr size_t max_prefix(size_t content_size) {
  return std::clamp(content_size / 4, kLeastMaxPrefix, kMostMaxPrefix);
}

/// Bytes of a prefix beyond which only the closest surroundings are added to it.
inline constexpr size_t kRichPrefix = size_t{128} << 10;

/// How a segment codes its new bytes.
struct Coding {
  /// Bytes between two copies of one alignment are differences from the base: what changes in
  /// machine code are mostly addresses.
  bool differences = false;
  /// What surrounds a change counts as resembling it: true of text.
  bool surroundings = false;

  static constexpr uint8_t kLargest = 3;
  uint8_t to_byte() const { return static_cast<uint8_t>(differences | surroundings << 1); }
  static Coding from_byte(uint32_t byte) { return {(byte & 1) != 0, (byte & 2) != 0}; }
};

/// Walks operations and tells, for each, how its new bytes are coded.
class Walk {
 public:
  Walk(Coding coding, size_t base_end, size_t content_size)
      : coding_(coding), base_end_(base_end), max_prefix_(max_prefix(content_size)) {}

  Coding coding() const { return coding_; }

  /// Where the copy before ended in the base.
  size_t base_end() const { return base_end_; }

  bool is_difference(const Op& op) const {
    return coding_.differences && op.copy > 0 && op.from == base_end_ + op.literal;
  }

  void advance(const Op& op) {
    if (op.copy > 0) base_end_ = size_t{op.from} + op.copy;
  }

  /// Appends what of the base the new bytes of `op` likely resemble: what they replace, unless that
  /// is too much, and its surroundings.
  void append_context(std::span<const uint8_t> base, const Op& op,
                      codec::Column<uint8_t>& prefix) const {
    constexpr size_t kAlways = 4096;
    if (op.literal == 0) return;
    const size_t around = surroundings_of(op, prefix.size());
    const size_t end = op.copy > 0 ? op.from : base.size();
    const bool replaces = end > base_end_ && end - base_end_ <= 4 * size_t{op.literal} + kAlways;
    const size_t first = base_end_ - std::min(base_end_, around);
    const size_t last = std::min(base.size(), (replaces ? end : base_end_) + around);
    if (last - first <= max_prefix_ - prefix.size()) {
      prefix.append(base.subspan(first, last - first));
    }
  }

 private:
  size_t surroundings_of(const Op& op, size_t prefix_size) const {
    constexpr size_t kLeast = 64;
    constexpr size_t kMost = 4096;
    if (!coding_.surroundings) return 0;
    return prefix_size >= kRichPrefix ? kLeast : std::clamp(2 * size_t{op.literal}, kLeast, kMost);
  }

  Coding coding_;
  size_t base_end_;
  size_t max_prefix_;
};

}  // namespace dwcp::delta
