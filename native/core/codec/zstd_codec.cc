// Why the settings: a prefix is silently useless above about a megabyte without long-distance
// matching and a window that spans prefix and source; zstd's own worker threads spoil prefix
// matching, so there are none. The window limit of zstd acts on streaming decoders only, so it is
// checked here on the header as well.
#include "core/codec/zstd_codec.h"

#include <zstd_errors.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <initializer_list>

namespace dwcp::codec {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a zstd context or its output."};

constexpr Status corrupt(const char* message) { return {ErrorCode::CODEC, message}; }

/// zstd's error as one of ours; the message is zstd's static text.
Status failure(size_t result) {
  const char* message = ZSTD_getErrorName(result);
  switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
      return kNoMemory;
    case ZSTD_error_dstSize_tooSmall:
      return {ErrorCode::OUTPUT_LIMIT, message};
    case ZSTD_error_frameParameter_windowTooLarge:
      return {ErrorCode::WINDOW_LIMIT, message};
    default:
      return {ErrorCode::CODEC, message};
  }
}

/// The smallest window log that spans `size` bytes, more than none, within what decoders accept.
int window_log_for(size_t size) {
  const int bits = std::bit_width(size - 1);
  return std::clamp(bits, kMinWindowLog, kMaxWindowLog);
}

bool overlap(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  const std::less<const uint8_t*> before;
  return before(a.data(), b.data() + b.size()) && before(b.data(), a.data() + a.size());
}

/// The first of some results that is an error, or a result that is none.
size_t first_error(std::initializer_list<size_t> results) {
  const auto* found = std::find_if(results.begin(), results.end(),
                                   [](size_t result) { return ZSTD_isError(result); });
  return found == results.end() ? 0 : *found;
}

size_t configure(ZSTD_CCtx* context, std::span<const uint8_t> source,
                 const CompressOptions& options) {
  const size_t result = first_error({
      ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, options.level),
      ZSTD_CCtx_setPledgedSrcSize(context, source.size()),
  });
  if (options.dictionary) {
    const ZSTD_CDict* encoder = options.dictionary->encoder(options.level);
    // A null encoder would compress without the dictionary, which no reader could tell.
    if (encoder == nullptr) return static_cast<size_t>(-ZSTD_error_memory_allocation);
    return first_error({result, ZSTD_CCtx_setParameter(context, ZSTD_c_dictIDFlag, 0),
                        ZSTD_CCtx_refCDict(context, encoder)});
  }
  if (options.prefix.empty()) return result;
  const int window_log = window_log_for(options.prefix.size() + source.size());
  return first_error({
      result,
      ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, ZSTD_ps_enable),
      ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log),
      ZSTD_CCtx_refPrefix(context, options.prefix.data(), options.prefix.size()),
  });
}

}  // namespace

Status compress(ContextPool& pool, std::span<const uint8_t> source, const CompressOptions& options,
                std::span<uint8_t> target, size_t& size) {
  if (overlap(source, options.prefix)) {
    // zstd takes a prefix that shares memory with the source for overwritten and forgets it.
    const Block copy = Block::reserve(options.prefix.size());
    if (!copy.valid()) return kNoMemory;
    std::copy(options.prefix.begin(), options.prefix.end(), copy.bytes().begin());
    const CompressOptions with_copy{.level = options.level, .prefix = copy.bytes()};
    return compress(pool, source, with_copy, target, size);
  }
  const auto context = pool.compress.lease();
  if (context.get() == nullptr) return kNoMemory;
  const size_t configured = configure(context.get(), source, options);
  if (ZSTD_isError(configured)) return failure(configured);
  size = ZSTD_compress2(context.get(), target.data(), target.size(), source.data(), source.size());
  return ZSTD_isError(size) ? failure(size) : Status{};
}

Status compress(ContextPool& pool, std::span<const uint8_t> source, const CompressOptions& options,
                Block& frame) {
  frame = Block::reserve(ZSTD_compressBound(source.size()));
  if (!frame.valid()) return kNoMemory;
  size_t size = 0;
  const Status status = compress(pool, source, options, frame.bytes(), size);
  if (status.ok()) frame.shrink(size);
  return status;
}

Status check_frame(std::span<const uint8_t> frame, const DecompressOptions& options) {
  ZSTD_frameHeader header;
  const size_t result = ZSTD_getFrameHeader(&header, frame.data(), frame.size());
  if (ZSTD_isError(result)) return failure(result);
  if (result != 0) return corrupt("The zstd frame is corrupt: truncated header.");
  if (header.frameType != ZSTD_frame) return corrupt("A skippable zstd frame holds no data.");
  if (header.windowSize > uint64_t{1} << options.max_window_log) {
    return {ErrorCode::WINDOW_LIMIT, "The frame needs a larger window than maxWindowLog allows."};
  }
  if (header.frameContentSize != ZSTD_CONTENTSIZE_UNKNOWN) {
    if (header.frameContentSize > options.size_bytes) {
      return {ErrorCode::OUTPUT_LIMIT, "The frame claims more bytes than expected."};
    }
    if (header.frameContentSize < options.size_bytes) {
      return corrupt("The frame claims fewer bytes than expected.");
    }
  }
  const size_t extent = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(extent)) return corrupt("The zstd frame is corrupt: truncated.");
  if (extent != frame.size()) return corrupt("The zstd frame is corrupt: trailing bytes.");
  return {};
}

Status decompress(ContextPool& pool, std::span<const uint8_t> frame,
                  const DecompressOptions& options, std::span<uint8_t> target) {
  if (const Status status = check_frame(frame, options); !status.ok()) return status;
  const auto context = pool.decompress.lease();
  if (context.get() == nullptr) return kNoMemory;
  size_t result =
      ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, options.max_window_log);
  if (options.dictionary) {
    result =
        first_error({result, ZSTD_DCtx_refDDict(context.get(), options.dictionary->decoder())});
  }
  if (!options.prefix.empty()) {
    result = first_error(
        {result, ZSTD_DCtx_refPrefix(context.get(), options.prefix.data(), options.prefix.size())});
  }
  if (ZSTD_isError(result)) return failure(result);
  result =
      ZSTD_decompressDCtx(context.get(), target.data(), target.size(), frame.data(), frame.size());
  if (ZSTD_isError(result)) return failure(result);
  if (result != options.size_bytes)
    return corrupt("The frame decoded to fewer bytes than expected.");
  return {};
}

const char* zstd_version() { return ZSTD_versionString(); }

}  // namespace dwcp::codec
