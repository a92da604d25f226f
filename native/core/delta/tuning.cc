// Every number here was measured on successive releases of real packages: sources, JSON, archives,
// executables and WebAssembly, from 10 KB to 100 MB.
#include "core/delta/tuning.h"

#include <algorithm>
#include <bit>

namespace dwcp::delta {
namespace {

/// Nanoseconds for a residual: a fixed part that grows with the content up to a limit, and a part
/// per byte that falls once there are many.
struct Rates {
  double fixed;
  double per_content_byte;
  double per_first_byte;
  double per_further_byte;
};
constexpr double kFirstBytes = 512 * 1024;
constexpr double kLeastFixed = 1e5;

constexpr Rates rates_of(Effort effort) {
  switch (effort) {
    case Effort::kFast:
      return {1e6, 0.1, 12, 8};
    case Effort::kMax:
      return {150e6, 20, 600, 300};
    default:
      return {4e6, 0.6, 40, 15};
  }
}

/// log2 to two decimals, which is all an estimate needs; the library's asks for a newer glibc.
double log2_of(uint32_t value) {
  const int exponent = std::bit_width(value) - 1;
  const double mantissa = value / static_cast<double>(uint32_t{1} << exponent);
  return exponent + (-0.344845 * mantissa + 2.024658) * mantissa - 1.674873;
}

}  // namespace

Content classify(std::span<const uint8_t> bytes) {
  constexpr size_t kPlaces = 512;
  constexpr size_t kPlaceSize = 64;
  constexpr uint8_t kTab = 9;
  size_t seen = 0;
  size_t code = 0;
  const size_t step = std::max(kPlaceSize, bytes.size() / kPlaces);
  for (size_t at = 0; at < bytes.size(); at += step) {
    const auto place = bytes.subspan(at, std::min(kPlaceSize, bytes.size() - at));
    const auto zeros = std::count(place.begin(), place.end(), 0);
    if (static_cast<size_t>(zeros) == place.size()) continue;  // padding says nothing
    ++seen;
    code += std::count_if(place.begin(), place.end(), [](uint8_t b) { return b < kTab; }) >= 2;
  }
  return code * 3 > seen ? Content::kCode : Content::kText;
}

ScanOptions scan_options(Content content, Effort effort) {
  if (content == Content::kCode) {
    return {.min_aligned = 8,
            .aligned_reach = 128,
            .sure_aligned = 8,
            .min_near = 12,
            .near_after = 8,
            .min_elsewhere = 24,
            .ask_after = 16};
  }
  const bool fast = effort == Effort::kFast;
  return {.min_aligned = 16,
          .aligned_reach = 64,
          .sure_aligned = fast ? size_t{16} : 48,
          .min_near = 16,
          .near_after = fast ? size_t{8} : 0,
          .min_elsewhere = 32,
          .ask_after = fast ? size_t{8} : 0};
}

Budget::Budget(Effort effort, size_t content_size)
    : effort_(effort),
      fixed_ns_(std::min(
          rates_of(effort).fixed,
          kLeastFixed + rates_of(effort).per_content_byte * static_cast<double>(content_size))),
      first_bytes_(kFirstBytes) {}

Strength Budget::take(size_t size, size_t prefix_size) {
  const Rates rates = rates_of(effort_);
  const double first = std::min(first_bytes_, static_cast<double>(size));
  const double further = static_cast<double>(size) - first;
  const double ns = fixed_ns_ + first * rates.per_first_byte + further * rates.per_further_byte;
  fixed_ns_ = 0;
  first_bytes_ -= first;
  return strength_within(size, prefix_size, ns);
}

double CodingChoice::bits(const Histogram& histogram) {
  uint32_t total = 0;
  double sum = 0;
  for (const uint32_t count : histogram) {
    if (count == 0) continue;
    total += count;
    sum += count * log2_of(count);
  }
  return total == 0 ? 0 : total * log2_of(total) - sum;
}

bool CodingChoice::prefers_differences() const {
  // Differences lose the text around them, which entropy does not see.
  constexpr double kClearly = 0.8;
  return bits(differences_) < kClearly * bits(literals_);
}

}  // namespace dwcp::delta
