// See zstd_exchange.h.
#include "core/codec/zstd_exchange.h"

#include <zstd_errors.h>

#include <algorithm>
#include <utility>

namespace dwcp::codec {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a zstd context or its output."};
constexpr Status kTooLarge{ErrorCode::OUTPUT_LIMIT,
                           "The zstd frames hold more than maxOutputBytes or maxRatio allow."};
constexpr Status kWideWindow{ErrorCode::WINDOW_LIMIT,
                             "The frame needs a larger window than maxWindowLog allows."};
constexpr Status kWrongDictionary{ErrorCode::DICTIONARY_MISMATCH,
                                  "The zstd frame names a dictionary that was not given."};

Status failure(size_t result) {
  switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
      return kNoMemory;
    case ZSTD_error_dstSize_tooSmall:
      return kTooLarge;
    case ZSTD_error_frameParameter_windowTooLarge:
      return kWideWindow;
    case ZSTD_error_dictionary_wrong:
      return kWrongDictionary;
    case ZSTD_error_checksum_wrong:
      return {ErrorCode::FRAME_CHECKSUM, "The checksum of the zstd frame does not match."};
    default:
      return {ErrorCode::CODEC, ZSTD_getErrorName(result)};
  }
}

/// What the frames in front of `rest` may decode to.
struct Extent {
  std::span<const uint8_t> rest;
  size_t bound = 0;
};

/// Checks the first frame of `extent.rest`, counts it and moves behind it.
Status take_frame(const ImportOptions& options, Extent& extent) {
  const auto bytes = extent.rest;
  ZSTD_frameHeader header;
  const size_t missing = ZSTD_getFrameHeader(&header, bytes.data(), bytes.size());
  if (ZSTD_isError(missing)) return failure(missing);
  if (missing != 0) return {ErrorCode::CODEC, "The zstd frame is corrupt: truncated header."};
  const size_t size = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
  if (ZSTD_isError(size)) return {ErrorCode::CODEC, "The zstd frame is corrupt: truncated."};
  extent.rest = bytes.subspan(size);
  if (header.frameType == ZSTD_skippableFrame) return {};
  if (header.windowSize > uint64_t{1} << options.max_window_log) return kWideWindow;
  if (header.dictID != 0 && (!options.dictionary || options.dictionary->id() != header.dictID)) {
    return kWrongDictionary;
  }
  const uint64_t bound = ZSTD_decompressBound(bytes.data(), size);
  const size_t room = options.max_output - extent.bound;
  const bool claimed = header.frameContentSize != ZSTD_CONTENTSIZE_UNKNOWN;
  if (claimed && header.frameContentSize > room) return kTooLarge;
  if (bound == ZSTD_CONTENTSIZE_ERROR) return {ErrorCode::CODEC, "The zstd frame is corrupt."};
  extent.bound += static_cast<size_t>(std::min<uint64_t>(bound, room));
  return {};
}

}  // namespace

Status export_frame(ContextPool& pool, std::span<const uint8_t> source,
                    const ExportOptions& options, Block& frame) {
  const auto context = pool.compress.lease();
  Block target = Block::reserve(ZSTD_compressBound(source.size()));
  if (context.get() == nullptr || !target.valid()) return kNoMemory;
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, options.level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, options.checksum ? 1 : 0);
  if (options.dictionary) {
    const ZSTD_CDict* encoder = options.dictionary->encoder(options.level);
    if (encoder == nullptr) return kNoMemory;
    ZSTD_CCtx_refCDict(context.get(), encoder);
  }
  const size_t size = ZSTD_compress2(context.get(), target.bytes().data(), target.bytes().size(),
                                     source.data(), source.size());
  if (ZSTD_isError(size)) return failure(size);
  target.shrink(size);
  frame = std::move(target);
  return {};
}

Status import_frames(ContextPool& pool, std::span<const uint8_t> frames,
                     const ImportOptions& options, Block& content) {
  if (frames.empty()) return {ErrorCode::CODEC, "There is no zstd frame."};
  Extent extent{frames};
  while (!extent.rest.empty()) {
    if (const Status status = take_frame(options, extent); !status.ok()) return status;
  }
  const auto context = pool.decompress.lease();
  // One byte more than nothing, so that there is memory to point at.
  Block target = Block::reserve(std::max<size_t>(extent.bound, 1));
  if (context.get() == nullptr || !target.valid()) return kNoMemory;
  if (options.dictionary) ZSTD_DCtx_refDDict(context.get(), options.dictionary->decoder());
  const size_t size = ZSTD_decompressDCtx(context.get(), target.bytes().data(), extent.bound,
                                          frames.data(), frames.size());
  if (ZSTD_isError(size)) return failure(size);
  if (size == 0) return {};
  target.shrink(size);
  content = std::move(target);
  return {};
}

}  // namespace dwcp::codec
