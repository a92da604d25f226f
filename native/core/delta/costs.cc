// See costs.h.
#include "core/delta/costs.h"

#include <algorithm>

#include "core/codec/column.h"
#include "core/delta/part.h"

namespace dwcp::delta {
namespace {

using Bytes = codec::Column<uint8_t>;

/// Enough to tell tables from text, bytes.
constexpr size_t kSample = 32 * 1024;
/// With fewer doubtful bytes nothing is measured.
constexpr size_t kFewest = 256;
/// A long run of new bytes says nothing about the copies around it.
constexpr size_t kRun = 256;
constexpr float kUnknown = 4;

float compressed_bits(codec::ContextPool& pool, const Bytes& bytes) {
  Bytes stored;
  if (!store_part(pool, bytes.values(), {}, {.strength = Strength::kGreedy}, stored).ok()) return 0;
  return 8 * static_cast<float>(stored.size());
}

}  // namespace

float new_byte_bits(codec::ContextPool& pool, std::span<const uint8_t> content, size_t base_end,
                    std::span<const Op> ops) {
  Bytes without;
  Bytes with;
  size_t at = 0;
  for (const Op& op : ops) {
    const auto fresh = content.subspan(at, std::min<size_t>(op.literal, kRun));
    without.append(fresh);
    with.append(fresh);
    at += op.literal;
    if (is_doubtful(op, base_end)) with.append(content.subspan(at, op.copy));
    at += op.copy;
    if (op.copy > 0) base_end = size_t{op.from} + op.copy;
    if (with.size() >= kSample) break;
  }
  const size_t doubtful = with.size() - without.size();
  if (doubtful < kFewest) return kUnknown;
  const float more = compressed_bits(pool, with) - compressed_bits(pool, without);
  return std::clamp(more / static_cast<float>(doubtful), 0.5F, 8.0F);
}

}  // namespace dwcp::delta
