// The one fixed rule of the delta encoder: from sizes and a sample of the content to what is
// searched for, what is kept, and how hard the rest is compressed. No clock is read, so equal input
// gives equal bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/delta/part.h"
#include "core/delta/scanner.h"

namespace dwcp::delta {

enum class Effort : uint8_t { kFast, kBalanced, kMax };

/// What the content is, as far as it matters to finding matches.
enum class Content : uint8_t {
  /// Text and records: edits are insertions; short repeats are everywhere and mean little.
  kText,
  /// Machine code and tables of numbers: edits change values in place.
  kCode,
};

/// Looks at some hundred places of `bytes`.
Content classify(std::span<const uint8_t> bytes);

ScanOptions scan_options(Content content, Effort effort);

/// Time there is for compressing residuals; how hard it is compressed follows.
class Budget {
 public:
  Budget(Effort effort, size_t content_size);

  /// How hard to compress a residual of `size` bytes against `prefix_size`; uses the budget up.
  Strength take(size_t size, size_t prefix_size);

 private:
  Effort effort_;
  double fixed_ns_;
  /// Bytes still paid at the higher rate.
  double first_bytes_;
};

/// True when coding bytes as differences from the base will be clearly smaller, by order-0 entropy.
class CodingChoice {
 public:
  void add(uint8_t literal, uint8_t base) {
    ++literals_[literal];
    ++differences_[static_cast<uint8_t>(literal - base)];
  }
  bool prefers_differences() const;

 private:
  using Histogram = std::array<uint32_t, 256>;
  static double bits(const Histogram& histogram);

  Histogram literals_{};
  Histogram differences_{};
};

}  // namespace dwcp::delta
