// See part.h. Tables are sized to the part: zstd's own choice for its high levels takes many times the
// memory of what a residual holds.
#include "core/delta/part.h"

#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <bit>

namespace dwcp::delta {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a delta."};
constexpr Status kCorrupt{ErrorCode::CODEC, "The delta is corrupt: a part does not decode."};

/// Below this, nothing is saved, bytes.
constexpr size_t kMinCoded = 12;
constexpr int kMinWindowLog = 10;
constexpr int kMaxHashLog = 18;
constexpr int kMaxChainLog = 19;

bool configure(ZSTD_CCtx* context, size_t size, std::span<const uint8_t> prefix, int level) {
  ZSTD_compressionParameters params = ZSTD_getCParams(level, size, prefix.size());
  const int spanned = std::bit_width(size + prefix.size());
  params.windowLog = static_cast<unsigned>(std::clamp(spanned, kMinWindowLog, kMaxPartWindowLog));
  params.hashLog = std::min<unsigned>(params.hashLog, kMaxHashLog);
  params.chainLog = std::min<unsigned>(params.chainLog, kMaxChainLog);
  return !ZSTD_isError(ZSTD_CCtx_setCParams(context, params)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_format, ZSTD_f_zstd1_magicless)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)) &&
         !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, size)) &&
         (prefix.empty() ||
          !ZSTD_isError(ZSTD_CCtx_refPrefix(context, prefix.data(), prefix.size())));
}

void store_raw(std::span<const uint8_t> bytes, codec::Column<uint8_t>& out) {
  write_varint(out, bytes.size() << 1);
  out.append(bytes);
}

}  // namespace

Status store_part(codec::ContextPool& pool, std::span<const uint8_t> bytes,
                  std::span<const uint8_t> prefix, int level, codec::Column<uint8_t>& out) {
  if (bytes.size() < kMinCoded || level == 0) {
    store_raw(bytes, out);
    return out.failed() ? kNoMemory : Status{};
  }
  const auto context = pool.compress.lease();
  if (context.get() == nullptr) return kNoMemory;
  if (!configure(context.get(), bytes.size(), prefix, level)) {
    return {ErrorCode::CODEC, "zstd refused the settings of a part."};
  }
  // Coded behind the largest size field, then moved up to it.
  const size_t start = out.size();
  const auto room = out.extend(ZSTD_compressBound(bytes.size()) + kMaxVarintSize);
  if (room.empty()) return kNoMemory;
  const auto target = room.subspan(kMaxVarintSize);
  const size_t size = ZSTD_compress2(context.get(), target.data(), target.size(), bytes.data(),
                                     bytes.size());
  out.truncate(start);
  if (ZSTD_isError(size)) return kNoMemory;
  if (size >= bytes.size()) {
    store_raw(bytes, out);
    return {};
  }
  write_varint(out, size << 1 | 1);
  const auto final_room = out.extend(size);
  std::memmove(final_room.data(), target.data(), size);
  return {};
}

Status load_part(codec::ContextPool& pool, Reader& reader, std::span<const uint8_t> prefix,
                 int max_window_log, std::span<uint8_t> target) {
  const uint32_t head = reader.varint();
  const auto stored = reader.take(head >> 1);
  if (!reader.ok()) return {ErrorCode::CODEC, "The delta is corrupt: truncated."};
  if ((head & 1) == 0) {
    if (stored.size() != target.size()) return kCorrupt;
    std::copy(stored.begin(), stored.end(), target.begin());
    return {};
  }
  if (target.empty()) return kCorrupt;
  ZSTD_frameHeader header;
  if (ZSTD_getFrameHeader_advanced(&header, stored.data(), stored.size(),
                                   ZSTD_f_zstd1_magicless) != 0) {
    return kCorrupt;
  }
  const int window_log = std::min(max_window_log, kMaxPartWindowLog);
  if (header.windowSize > uint64_t{1} << window_log) {
    return {ErrorCode::WINDOW_LIMIT, "A part needs a larger window than maxWindowLog allows."};
  }
  const auto context = pool.decompress.lease();
  if (context.get() == nullptr) return kNoMemory;
  const bool configured =
      !ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_format, ZSTD_f_zstd1_magicless)) &&
      (prefix.empty() ||
       !ZSTD_isError(ZSTD_DCtx_refPrefix(context.get(), prefix.data(), prefix.size())));
  if (!configured) return kNoMemory;
  // One frame and nothing behind it: what is left would be read as another frame and fail.
  const size_t size = ZSTD_decompressDCtx(context.get(), target.data(), target.size(),
                                          stored.data(), stored.size());
  if (ZSTD_isError(size) || size != target.size()) return kCorrupt;
  return {};
}

int level_within(size_t size, size_t prefix_size, double budget_ns) {
  struct Speed {
    int level;
    double ns_per_byte;
  };
  // Measured on residuals of real releases, prefix included at a third.
  static constexpr std::array<Speed, 7> kSpeeds{{
      {19, 450}, {17, 300}, {14, 120}, {11, 50}, {8, 26}, {5, 14}, {3, 7}}};
  const double work = static_cast<double>(size) + static_cast<double>(prefix_size) / 3;
  for (const auto& [level, ns_per_byte] : kSpeeds) {
    if (work * ns_per_byte <= budget_ns) return level;
  }
  return 1;
}

}  // namespace dwcp::delta
