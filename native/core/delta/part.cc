// See part.h. Tables are sized to the part: zstd's own for its high levels take many times the
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

/// zstd's settings for one strength and what they cost, measured on residuals of real releases.
/// Levels are of no use here: what one means jumps with the size of the source.
struct Preset {
  ZSTD_strategy strategy;
  unsigned max_chain_log;
  unsigned max_hash_log;
  unsigned search_log;
  unsigned min_match;
  unsigned target_length;
  double ns_per_byte;
  double ns_per_prefix_byte;
};
constexpr std::array<Preset, 6> kPresets{{
    {ZSTD_dfast, 16, 17, 1, 5, 0, 7, 2},
    {ZSTD_greedy, 18, 18, 3, 5, 2, 14, 4},
    {ZSTD_lazy2, 18, 18, 4, 4, 16, 30, 6},
    {ZSTD_lazy2, 19, 18, 6, 4, 48, 70, 8},
    {ZSTD_btopt, 19, 17, 5, 3, 64, 250, 90},
    {ZSTD_btultra2, 19, 17, 7, 3, 256, 500, 130},
}};

/// log2 of the entries of a match finder's tables. Memory of a delta is mostly theirs, and what is
/// spanned resembles itself little: a half or a quarter as many entries cost hardly any size.
unsigned table_log(unsigned window_log, const PartMemory& memory) {
  constexpr unsigned kLarge = 19;
  return std::min(window_log - (window_log < kLarge ? 1 : 2), memory.table_log);
}

bool configure(ZSTD_CCtx* context, size_t size, std::span<const uint8_t> prefix,
               const PartSettings& settings) {
  const Preset& preset = kPresets[static_cast<size_t>(settings.strength)];
  const int spanned = std::bit_width(size + prefix.size());
  const auto window_log =
      static_cast<unsigned>(std::clamp(spanned, kMinWindowLog, kMaxPartWindowLog));
  const unsigned largest = table_log(window_log, settings.memory);
  const ZSTD_compressionParameters params{
      window_log,
      std::min(largest, preset.max_chain_log),
      std::min(largest, preset.max_hash_log),
      preset.search_log,
      preset.min_match,
      preset.target_length,
      preset.strategy,
  };
  return !ZSTD_isError(ZSTD_CCtx_setCParams(context, params)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_format, ZSTD_f_zstd1_magicless)) &&
         !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)) &&
         !ZSTD_isError(
             ZSTD_CCtx_setParameter(context, ZSTD_c_maxBlockSize, settings.memory.block_size)) &&
         !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, size)) &&
         (prefix.empty() ||
          !ZSTD_isError(ZSTD_CCtx_refPrefix(context, prefix.data(), prefix.size())));
}

void store_raw(std::span<const uint8_t> bytes, codec::Column<uint8_t>& out) {
  write_varint(out, bytes.size() << 1);
  out.append(bytes);
}

}  // namespace

PartMemory PartMemory::beside(size_t size) {
  constexpr size_t kShareOfContent = 8;
  constexpr size_t kEntrySize = 5;  // a position, and a byte of its hash
  constexpr unsigned kLeastLog = 16;
  constexpr size_t kBlocks = 64;
  constexpr size_t kLeastBlock = size_t{32} << 10;
  const auto entries = std::bit_floor(size / kShareOfContent / kEntrySize);
  const auto block = std::bit_floor(size / kBlocks);
  return {
      .table_log = std::max(kLeastLog, static_cast<unsigned>(std::bit_width(entries | 1)) - 1),
      .block_size = static_cast<int>(std::clamp(block, kLeastBlock, size_t{ZSTD_BLOCKSIZE_MAX}))};
}

Status store_part(codec::ContextPool& pool, std::span<const uint8_t> bytes,
                  std::span<const uint8_t> prefix, const PartSettings& settings,
                  codec::Column<uint8_t>& out) {
  if (bytes.size() < kMinCoded) {
    store_raw(bytes, out);
    return out.failed() ? kNoMemory : Status{};
  }
  const auto context = pool.compress.lease();
  if (context.get() == nullptr) return kNoMemory;
  if (!configure(context.get(), bytes.size(), prefix, settings)) {
    return {ErrorCode::CODEC, "zstd refused the settings of a part."};
  }
  // Coded behind the largest size field, then moved up to it.
  const size_t start = out.size();
  const auto room = out.extend(ZSTD_compressBound(bytes.size()) + kMaxVarintSize);
  if (room.empty()) return kNoMemory;
  const auto target = room.subspan(kMaxVarintSize);
  const size_t size =
      ZSTD_compress2(context.get(), target.data(), target.size(), bytes.data(), bytes.size());
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
  if (ZSTD_getFrameHeader_advanced(&header, stored.data(), stored.size(), ZSTD_f_zstd1_magicless) !=
      0) {
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

Strength strength_within(size_t size, size_t prefix_size, double budget_ns) {
  for (size_t i = kPresets.size() - 1; i > 0; --i) {
    const double ns = static_cast<double>(size) * kPresets[i].ns_per_byte +
                      static_cast<double>(prefix_size) * kPresets[i].ns_per_prefix_byte;
    if (ns <= budget_ns) return static_cast<Strength>(i);
  }
  return Strength::kQuick;
}

}  // namespace dwcp::delta
