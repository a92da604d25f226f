// Records and dictionaries from anyone: bytes as a frame, as a batch, as a dictionary; and frames
// that were made here, then damaged. Any code is fine; a crash, a stray write, content that does
// not match its checksum or is not what zstd reads is not.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/codec/record_codec.h"

namespace {

using dwcp::Shared;
using dwcp::codec::BatchProgress;
using dwcp::codec::Dictionary;
using dwcp::codec::RecordCodec;
using Bytes = std::vector<uint8_t>;

constexpr size_t kControlBytes = 4;
constexpr size_t kMaxOutput = size_t{1} << 20;

RecordCodec& codec() {
  static RecordCodec one;
  return one;
}

void require(bool condition) {
  if (!condition) std::abort();
}

/// What is behind a header must be to our reader what it is to zstd's.
void compare(std::span<const uint8_t> block, const Dictionary* dictionary, size_t size) {
  static dwcp::codec::RecordBlockReader reader;
  static ZSTD_DCtx* const context = ZSTD_createDCtx();
  const ZSTD_DDict* digested = dictionary != nullptr ? dictionary->decoder() : nullptr;
  Bytes expected(size);
  require(!ZSTD_isError(ZSTD_decompressBegin_usingDDict(context, digested)));
  const size_t made =
      ZSTD_decompressBlock(context, expected.data(), size, block.data(), block.size());
  require(reader.reserve(size));
  const auto content = reader.read(block, digested, size);
  require(content.empty() ? made != size : std::ranges::equal(content, expected));
}

/// Decodes into exactly as much memory as the frame claims, so that a stray write is seen.
void decode(const Bytes& frame, const Dictionary* dictionary, const Bytes* expected) {
  dwcp::codec::RecordHeader header;
  size_t size = 0;
  if (!dwcp::codec::read_record_header(frame, header, size).ok()) return;
  const bool named = header.dictionary_id != 0;
  if (header.coded &&
      (!named || (dictionary != nullptr && dictionary->id() == header.dictionary_id))) {
    compare(std::span(frame).subspan(size), named ? dictionary : nullptr, header.content_size);
  }
  Bytes target(header.content_size);
  const bool ok = codec().decode(frame, dictionary, kMaxOutput, target, size).ok();
  if (ok && header.checked && expected != nullptr) require(target == *expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kControlBytes) return 0;
  const std::span control(data, kControlBytes);
  const std::span body(data + kControlBytes, size - kControlBytes);
  const auto shared = body.first(body.size() * (control[1] % 4) / 4);
  const auto content = body.subspan(shared.size());
  Shared<Dictionary> dictionary;
  static_cast<void>(Dictionary::make(shared, 0x01020304, dictionary));
  const Dictionary* given = dictionary ? &*dictionary : nullptr;

  decode(Bytes(content.begin(), content.end()), given, nullptr);
  const uint32_t lengths[] = {control[2], control[3]};
  uint32_t sizes[2];
  Bytes out(4096);
  BatchProgress progress;
  const std::span known(&dictionary, given != nullptr ? 1 : 0);
  static_cast<void>(
      codec().decode_batch({content, lengths}, known, kMaxOutput, {out, sizes}, progress));

  const Bytes original(content.begin(), content.end());
  Bytes frame(dwcp::codec::record_bound(original.size()));
  size_t frame_size = 0;
  const dwcp::codec::RecordOptions options{control[0] % 8, true};
  if (!codec().encode(original, given, options, frame, frame_size).ok()) return 0;
  frame.resize(frame_size);
  decode(frame, given, &original);
  // Behind the header only: a header that lies consistently is a frame of something else.
  const size_t at = frame.size() - 1 - control[2] % std::max<size_t>(1, frame.size() / 2);
  frame[at] ^= control[3];
  decode(frame, given, nullptr);
  return 0;
}
