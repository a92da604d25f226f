// With a dictionary and at the usual levels a record is searched by a match finder of our own
// (record_matcher.h). Otherwise zstd's block interface is used, because a record is one block: the
// frame header, the block header and half of the bookkeeping fall away. The parameters are those
// that zstd's one-call functions would take for the same content, level and dictionary.
#include "core/codec/record_codec.h"

#include <zstd_errors.h>

#include <algorithm>

#include "core/simd/crc32c.h"

namespace dwcp::codec {
namespace {

/// Without a dictionary less than this does not get smaller.
constexpr size_t kRawBelow = 32;

constexpr ZSTD_frameParameters kNoFrame{.contentSizeFlag = 0, .checksumFlag = 0, .noDictIDFlag = 1};

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a zstd context."};
constexpr Status kNoRoom{ErrorCode::OUTPUT_LIMIT, "The frame does not fit into the target."};

Status failure(size_t result) {
  const bool memory = ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation;
  return memory ? kNoMemory : Status{ErrorCode::CODEC, ZSTD_getErrorName(result)};
}

size_t begin(ZSTD_CCtx* context, const ZSTD_CDict* dictionary, int level, size_t content_size) {
  if (dictionary != nullptr) {
    return ZSTD_compressBegin_usingCDict_advanced(context, dictionary, kNoFrame, content_size);
  }
  ZSTD_parameters parameters = ZSTD_getParams(level, content_size, 0);
  parameters.fParams = kNoFrame;
  return ZSTD_compressBegin_advanced(context, nullptr, 0, parameters, content_size);
}

/// Checks that apply before any work; `size` is the header's.
Status open(std::span<const uint8_t> frame, size_t max_output, RecordHeader& header, size_t& size) {
  if (const Status status = read_record_header(frame, header, size); !status.ok()) return status;
  if (header.content_size > max_output) {
    return {ErrorCode::OUTPUT_LIMIT, "The decoded size is above maxOutputBytes."};
  }
  if (!header.coded && frame.size() - size != header.content_size) {
    return {ErrorCode::FRAME_CORRUPT, "record frame: raw sizes differ"};
  }
  return {};
}

const Dictionary* find(std::span<const Shared<Dictionary>> dictionaries, uint32_t id) {
  for (const auto& candidate : dictionaries) {
    if (candidate->id() == id) return &*candidate;
  }
  return nullptr;
}

}  // namespace

RecordCodec::~RecordCodec() { ZSTD_freeCCtx(encoder_); }

size_t RecordCodec::size_bytes() const {
  return matcher_.size_bytes() + writer_.size_bytes() + reader_.size_bytes() +
         ZSTD_sizeof_CCtx(encoder_) + scratch_.bytes().size();
}

/// `size` is 0 when the content does not get smaller.
Status RecordCodec::compress_indexed(std::span<const uint8_t> content, const RecordIndex& index,
                                     std::span<uint8_t> target, size_t& size) {
  if (!matcher_.reserve(content.size()) || !writer_.reserve(matcher_.max_sequences())) {
    return kNoMemory;
  }
  const RecordParse parse = matcher_.parse(content, index);
  size = writer_.write(parse, content.size(), index.state().entropy, target);
  return {};
}

/// `size` is 0 when the content does not get smaller.
Status RecordCodec::compress_block(std::span<const uint8_t> content, const Dictionary* dictionary,
                                   int level, std::span<uint8_t> target, size_t& size) {
  size = 0;
  if (content.empty() || (content.size() < kRawBelow && dictionary == nullptr)) return {};
  const RecordIndex* index = dictionary != nullptr ? dictionary->record_index(level) : nullptr;
  if (index != nullptr) return compress_indexed(content, *index, target, size);
  if (encoder_ == nullptr) encoder_ = ZSTD_createCCtx();
  const ZSTD_CDict* digested = dictionary != nullptr ? dictionary->encoder(level) : nullptr;
  if (encoder_ == nullptr || (dictionary != nullptr && digested == nullptr)) return kNoMemory;
  size_t result = begin(encoder_, digested, level, content.size());
  if (ZSTD_isError(result)) return failure(result);
  result =
      ZSTD_compressBlock(encoder_, target.data(), target.size(), content.data(), content.size());
  if (ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall) return {};
  if (ZSTD_isError(result)) return failure(result);
  if (result < content.size()) size = result;
  return {};
}

Status RecordCodec::encode(std::span<const uint8_t> content, const Dictionary* dictionary,
                           const RecordOptions& options, std::span<uint8_t> target, size_t& size) {
  if (content.size() > kMaxRecordBytes) {
    return {ErrorCode::INVALID_ARG, "A record has at most 64 KiB."};
  }
  const size_t bound = record_bound(content.size());
  if (target.size() < bound) {
    if (!scratch_.valid()) scratch_ = Block::reserve(record_bound(kMaxRecordBytes));
    if (!scratch_.valid()) return kNoMemory;
    const auto room = scratch_.bytes().first(bound);
    if (const Status status = encode(content, dictionary, options, room, size); !status.ok()) {
      return status;
    }
    if (size > target.size()) return kNoRoom;
    std::copy_n(room.begin(), size, target.begin());
    return {};
  }
  RecordHeader header{.coded = true, .checked = options.checked, .content_size = content.size()};
  header.dictionary_id = dictionary != nullptr ? dictionary->id() : 0;
  if (options.checked) header.checksum = simd::crc32c(content);
  const size_t coded_at = record_header_size(header);
  size_t stored = 0;
  const Status status =
      compress_block(content, dictionary, options.level, target.subspan(coded_at), stored);
  if (!status.ok()) return status;
  if (stored == 0) {
    header.coded = false;
    header.dictionary_id = 0;
    stored = content.size();
    std::copy(content.begin(), content.end(), target.begin() + record_header_size(header));
  }
  write_record_header(header, target.data());
  size = record_header_size(header) + stored;
  return {};
}

Status RecordCodec::decode(std::span<const uint8_t> frame, const Dictionary* dictionary,
                           size_t max_output, std::span<uint8_t> target, size_t& size) {
  RecordHeader header;
  size_t at = 0;
  if (const Status status = open(frame, max_output, header, at); !status.ok()) return status;
  if (header.content_size > target.size()) {
    return {ErrorCode::OUTPUT_LIMIT, "The content does not fit into the target."};
  }
  if (header.dictionary_id == 0) {
    dictionary = nullptr;
  } else if (dictionary == nullptr || dictionary->id() != header.dictionary_id) {
    return {ErrorCode::DICTIONARY_MISMATCH, "The frame was made with another dictionary."};
  }
  auto content = frame.subspan(at);
  if (header.coded) {
    if (!reader_.reserve(header.content_size)) return kNoMemory;
    const auto* digested = dictionary != nullptr ? dictionary->decoder() : nullptr;
    content = reader_.read(content, digested, header.content_size);
    if (content.empty()) return {ErrorCode::FRAME_CORRUPT, "record frame: the payload is damaged"};
  }
  if (header.checked && simd::crc32c(content) != header.checksum) {
    return {ErrorCode::FRAME_CHECKSUM, "The content does not match its checksum."};
  }
  std::copy(content.begin(), content.end(), target.begin());
  size = content.size();
  return {};
}

Status RecordCodec::encode_batch(const RecordArena& arena, const Dictionary* dictionary,
                                 const RecordOptions& options, const RecordTarget& target,
                                 BatchProgress& progress) {
  size_t read = 0;
  for (const uint32_t length : arena.lengths) {
    if (length > arena.bytes.size() - read) {
      return {ErrorCode::INVALID_ARG, "The lengths pass the end of the arena."};
    }
    size_t size = 0;
    const Status status = encode(arena.bytes.subspan(read, length), dictionary, options,
                                 target.bytes.subspan(progress.bytes), size);
    if (!status.ok()) return status;
    target.lengths[progress.records++] = static_cast<uint32_t>(size);
    progress.bytes += size;
    read += length;
  }
  return {};
}

Status RecordCodec::decode_batch(const RecordArena& arena,
                                 std::span<const Shared<Dictionary>> dictionaries,
                                 size_t max_output, const RecordTarget& target,
                                 BatchProgress& progress) {
  size_t read = 0;
  const Dictionary* latest = dictionaries.empty() ? nullptr : &*dictionaries.front();
  for (const uint32_t length : arena.lengths) {
    if (length > arena.bytes.size() - read) {
      return {ErrorCode::INVALID_ARG, "The lengths pass the end of the arena."};
    }
    const auto frame = arena.bytes.subspan(read, length);
    size_t size = 0;
    Status status = decode(frame, latest, max_output - progress.bytes,
                           target.bytes.subspan(progress.bytes), size);
    if (status.code == ErrorCode::DICTIONARY_MISMATCH) {
      RecordHeader header;
      static_cast<void>(read_record_header(frame, header, size));
      const Dictionary* other = find(dictionaries, header.dictionary_id);
      if (other == nullptr) return status;
      latest = other;
      status = decode(frame, latest, max_output - progress.bytes,
                      target.bytes.subspan(progress.bytes), size);
    }
    if (!status.ok()) return status;
    target.lengths[progress.records++] = static_cast<uint32_t>(size);
    progress.bytes += size;
    read += length;
  }
  return {};
}

Status batch_content_size(const RecordArena& arena, size_t max_output, BatchProgress& progress) {
  size_t read = 0;
  for (const uint32_t length : arena.lengths) {
    if (length > arena.bytes.size() - read) {
      return {ErrorCode::INVALID_ARG, "The lengths pass the end of the arena."};
    }
    RecordHeader header;
    size_t size = 0;
    const auto frame = arena.bytes.subspan(read, length);
    const Status status = open(frame, max_output - progress.bytes, header, size);
    if (!status.ok()) return status;
    progress.bytes += header.content_size;
    ++progress.records;
    read += length;
  }
  return {};
}

}  // namespace dwcp::codec
