// Records against any dictionary, raw content or with entropy tables measured on other input, must
// come back as they were, from the first call of a codec on and after any others.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "core/codec/dictionary_entropy.h"
#include "core/codec/record_codec.h"

namespace {

using dwcp::Shared;
using dwcp::codec::Dictionary;
using dwcp::codec::RecordCodec;
using Bytes = std::vector<uint8_t>;

constexpr size_t kControlBytes = 4;
constexpr uint32_t kId = 0x01020304;

void require(bool condition) {
  if (!condition) std::abort();
}

/// `content` behind a head whose tables describe `record`; `content` alone when zstd makes none.
Bytes with_head(std::span<const uint8_t> content, std::span<const uint8_t> record) {
  static dwcp::codec::ContextPool pool;
  std::array<uint8_t, dwcp::codec::kMaxDictionaryHead> head;
  size_t size = 0;
  const auto length = static_cast<uint32_t>(record.size());
  const dwcp::codec::Samples samples{record, {&length, 1}};
  if (content.size() < dwcp::codec::kMinDictionaryContent || record.empty() ||
      !dwcp::codec::write_dictionary_head(pool, samples, content, 3, head, size).ok()) {
    size = 0;
  }
  Bytes made(head.begin(), head.begin() + static_cast<ptrdiff_t>(size));
  made.insert(made.end(), content.begin(), content.end());
  return made;
}

void round_trip(RecordCodec& codec, std::span<const uint8_t> view, const Dictionary* dictionary,
                const dwcp::codec::RecordOptions& options) {
  const Bytes content(view.begin(), view.end());  // an exact heap block: reads past it are seen
  Bytes frame(dwcp::codec::record_bound(content.size()));
  size_t size = 0;
  require(codec.encode(content, dictionary, options, frame, size).ok());
  frame.resize(size);
  frame.shrink_to_fit();
  Bytes target(content.size());
  require(codec.decode(frame, dictionary, target.size(), target, size).ok());
  require(target == content);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kControlBytes) return 0;
  const std::span control(data, kControlBytes);
  const auto body = std::span(data, size).subspan(kControlBytes);
  const auto shared = body.first(body.size() * control[1] / 256);
  const auto fresh = body.subspan(shared.size());
  const Bytes bytes =
      control[0] % 2 == 0 ? Bytes(shared.begin(), shared.end()) : with_head(shared, fresh);
  Shared<Dictionary> dictionary;
  if (!Dictionary::make(bytes, kId, dictionary).ok()) return 0;
  // Parts of the dictionary, fresh bytes, and some again.
  const auto part = shared.subspan(shared.size() * control[2] / 256);
  Bytes content(part.begin(), part.begin() + static_cast<ptrdiff_t>(part.size() / 2));
  content.insert(content.end(), fresh.begin(), fresh.end());
  content.insert(content.end(), part.begin(), part.end());
  content.insert(content.end(), fresh.begin(),
                 fresh.begin() + std::min<ptrdiff_t>(control[3], std::ssize(fresh)));
  content.resize(std::min(content.size(), dwcp::codec::kMaxRecordBytes));
  static RecordCodec kept;
  RecordCodec young;
  const dwcp::codec::RecordOptions options{3, control[0] % 4 < 2};
  round_trip(kept, content, &*dictionary, options);
  round_trip(young, fresh.first(std::min(fresh.size(), dwcp::codec::kMaxRecordBytes)), &*dictionary,
             options);
  return 0;
}
