// See dictionary_trainer.h.
#include "core/codec/dictionary_trainer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "core/codec/cover.h"
#include "core/codec/dictionary_entropy.h"

namespace dwcp::codec {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for training a dictionary."};

/// Every how many records one is held out.
constexpr size_t kHeldOutEvery = 4;
constexpr std::array<uint32_t, 2> kDmerBytes{6, 8};
constexpr std::array<uint32_t, 8> kSegmentBytes{64, 128, 256, 512, 768, 1024, 1536, 2048};

struct FreeCDict {
  void operator()(ZSTD_CDict* dictionary) const { ZSTD_freeCDict(dictionary); }
};

/// Samples that own their bytes.
struct Part {
  Column<uint8_t> bytes;
  Column<uint32_t> lengths;

  void add(std::span<const uint8_t> record) {
    bytes.append(record);
    lengths.push(static_cast<uint32_t>(record.size()));
  }
  bool failed() const { return bytes.failed() || lengths.failed(); }
  Samples samples() const { return {bytes.values(), lengths.values()}; }
};

size_t configure(ZSTD_CCtx* context, int level, const ZSTD_CDict* dictionary) {
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_format, ZSTD_f_zstd1_magicless);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_dictIDFlag, 0);
  return ZSTD_CCtx_refCDict(context, dictionary);
}

/// Size of all records, each compressed by itself with `dictionary`, or none when that is empty.
Status compressed_size(ContextPool& pool, const Samples& samples,
                       std::span<const uint8_t> dictionary, int level, size_t& total) {
  std::unique_ptr<ZSTD_CDict, FreeCDict> digested;
  if (!dictionary.empty()) {
    digested.reset(ZSTD_createCDict_byReference(dictionary.data(), dictionary.size(), level));
    if (digested == nullptr) return kNoMemory;
  }
  size_t longest = 0;
  for (const uint32_t length : samples.lengths) longest = std::max<size_t>(longest, length);
  const auto context = pool.compress.lease();
  const Block target = Block::reserve(ZSTD_compressBound(longest));
  if (context.get() == nullptr || !target.valid()) return kNoMemory;
  size_t result = configure(context.get(), level, digested.get());
  total = 0;
  samples.for_each([&](size_t, std::span<const uint8_t> record) {
    if (ZSTD_isError(result)) return;
    result = ZSTD_compress2(context.get(), target.bytes().data(), target.bytes().size(),
                            record.data(), record.size());
    total += std::min(result, record.size());
  });
  if (ZSTD_isError(result)) return {ErrorCode::CODEC, ZSTD_getErrorName(result)};
  return {};
}

/// A dictionary of what `cover` counted in `samples`; `dictionary` stays without memory when that
/// is nothing.
Status build(ContextPool& pool, Cover& cover, const Samples& samples, uint32_t segment_bytes,
             const TrainOptions& options, Block& dictionary) {
  Block block = Block::reserve(kMaxDictionaryHead + options.size_bytes);
  if (!block.valid()) return kNoMemory;
  const auto room = block.bytes().subspan(kMaxDictionaryHead);
  size_t size = cover.select(segment_bytes, room);
  if (size < kMinDictionaryContent) return {};
  std::array<uint8_t, kMaxDictionaryHead> head;
  size_t head_size = 0;
  const Status status =
      write_dictionary_head(pool, samples, room.last(size), options.level, head, head_size);
  if (!status.ok()) return status;
  size = std::min(size, options.size_bytes - head_size);  // the front is worth least
  std::copy_n(head.begin(), head_size, block.bytes().begin());
  std::copy(room.end() - static_cast<ptrdiff_t>(size), room.end(),
            block.bytes().begin() + static_cast<ptrdiff_t>(head_size));
  block.shrink(head_size + size);
  dictionary = std::move(block);
  return {};
}

}  // namespace

Status train_dictionary(ContextPool& pool, const Samples& samples, const TrainOptions& options,
                        Block& dictionary, TrainReport& report) {
  Part known;
  Part held_out;
  samples.for_each([&](size_t index, std::span<const uint8_t> record) {
    (index % kHeldOutEvery == kHeldOutEvery - 1 ? held_out : known).add(record);
  });
  if (known.failed() || held_out.failed()) return kNoMemory;
  Status status =
      compressed_size(pool, held_out.samples(), {}, options.level, report.without_bytes);
  if (!status.ok()) return status;
  report.with_bytes = report.without_bytes;

  uint32_t best_segment = 0;
  uint32_t best_dmer = 0;
  Cover cover;
  for (const uint32_t dmer : kDmerBytes) {
    if (!cover.count(known.samples(), dmer)) return kNoMemory;
    for (const uint32_t segment : kSegmentBytes) {
      Block candidate;
      size_t size = 0;
      status = build(pool, cover, known.samples(), segment, options, candidate);
      if (!status.ok()) return status;
      if (!candidate.valid()) continue;
      status = compressed_size(pool, held_out.samples(), candidate.bytes(), options.level, size);
      if (!status.ok()) return status;
      if (size >= report.with_bytes) continue;
      report.with_bytes = size;
      best_segment = segment;
      best_dmer = dmer;
    }
  }
  if (best_segment == 0) return {};
  if (!cover.count(samples, best_dmer)) return kNoMemory;
  return build(pool, cover, samples, best_segment, options, dictionary);
}

}  // namespace dwcp::codec
