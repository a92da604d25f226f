// What both sides derive from a stretch of operations: which new bytes are coded as differences from the
// base, and which of the base they replace.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/column.h"
#include "core/delta/scanner.h"

namespace dwcp::delta {

inline constexpr uint8_t kVersion = 1;

/// A segment ends when it has this many operations or new bytes: it bounds memory on both sides.
inline constexpr size_t kMaxSegmentOps = size_t{1} << 18;
inline constexpr size_t kMaxSegmentLiterals = size_t{1} << 20;
/// Longest prefix of a segment's new bytes.
inline constexpr size_t kMaxSegmentPrefix = size_t{2} << 20;

/// How a segment codes bytes between two copies of one alignment.
enum class Coding : uint8_t {
  /// As new bytes, compressed with what they replace as a prefix.
  kLiteral = 0,
  /// As differences from the base: what changes in machine code are mostly addresses.
  kDifference = 1,
};

/// Walks operations and tells, for each, how its new bytes are coded.
class Walk {
 public:
  Walk(Coding coding, size_t base_end) : coding_(coding), base_end_(base_end) {}

  Coding coding() const { return coding_; }

  /// Where the copy before ended in the base.
  size_t base_end() const { return base_end_; }

  bool is_difference(const Op& op) const {
    return coding_ == Coding::kDifference && op.copy > 0 && op.from == base_end_ + op.literal;
  }

  void advance(const Op& op) {
    if (op.copy > 0) base_end_ = size_t{op.from} + op.copy;
  }

  /// Appends what of the base `op` drops, when it likely resembles the new bytes.
  void append_replaced(std::span<const uint8_t> base, const Op& op,
                       codec::Column<uint8_t>& prefix) const {
    constexpr size_t kAlways = 4096;
    const size_t end = op.copy > 0 ? op.from : base.size();
    if (op.literal == 0 || end <= base_end_) return;
    const size_t size = end - base_end_;
    if (size > 4 * size_t{op.literal} + kAlways) return;
    if (size > kMaxSegmentPrefix - prefix.size()) return;
    prefix.append(base.subspan(base_end_, size));
  }

 private:
  Coding coding_;
  size_t base_end_;
};

}  // namespace dwcp::delta
