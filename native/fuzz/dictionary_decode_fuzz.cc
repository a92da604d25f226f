// Dictionaries: taken as they come, trained ones that were damaged, and frames made with a good one
// that were damaged. What is accepted as a dictionary must give back what was compressed with it.
// Any code is fine for the rest; a crash or a stray write is not.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/codec/dictionary_trainer.h"
#include "core/codec/zstd_codec.h"

namespace {

using namespace dwcp::codec;
using Bytes = std::vector<uint8_t>;
using Span = std::span<const uint8_t>;

constexpr size_t kControlBytes = 8;
constexpr size_t kMaxOutput = size_t{1} << 20;
constexpr uint32_t kId = 77;

ContextPool& pool() {
  static ContextPool contexts;
  return contexts;
}

/// A dictionary with entropy tables.
const Bytes& trained() {
  static const Bytes bytes = [] {
    Bytes samples;
    std::vector<uint32_t> lengths;
    for (int i = 0; i < 400; ++i) {
      const std::string record = "{\"type\":\"order\",\"id\":" + std::to_string(i * 7919 % 1000) +
                                 ",\"place\":\"" + (i % 3 == 0 ? "Amsterdam" : "Berlin") + "\"}";
      samples.insert(samples.end(), record.begin(), record.end());
      lengths.push_back(static_cast<uint32_t>(record.size()));
    }
    Block made;
    TrainReport report;
    if (!train_dictionary(pool(), {samples, lengths}, {1024, 3}, made, report).ok()) std::abort();
    return Bytes(made.bytes().begin(), made.bytes().end());
  }();
  return bytes;
}

void damage(Bytes& bytes, const uint8_t* control, size_t within) {
  for (int i = 4; i < 8; ++i) {
    if (control[i] == 0 || bytes.empty()) continue;
    bytes[size_t{control[i]} * std::min(within, bytes.size()) / 256] ^= control[i] ^ control[2];
  }
}

void decode(Span frame, size_t size, const dwcp::Shared<Dictionary>& dictionary) {
  Bytes target(size);
  DecompressOptions options{.size_bytes = size};
  options.dictionary = dictionary;
  static_cast<void>(decompress(pool(), frame, options, target));
}

void give_back(Span content, int level, const dwcp::Shared<Dictionary>& dictionary) {
  Block frame;
  CompressOptions options{.level = level};
  options.dictionary = dictionary;
  if (!compress(pool(), content, options, frame).ok()) return;
  Bytes target(content.size());
  DecompressOptions how{.size_bytes = content.size()};
  how.dictionary = dictionary;
  if (!decompress(pool(), frame.bytes(), how, target).ok()) std::abort();
  if (!std::equal(target.begin(), target.end(), content.begin())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kControlBytes) return 0;
  const uint8_t* control = data;
  const Span body(data + kControlBytes, size - kControlBytes);
  const auto split = body.first(body.size() * (control[1] % 8) / 8);
  const auto rest = body.subspan(split.size());
  const int level = 1 + control[3] % 12;
  Bytes bytes;
  if (control[0] % 4 < 2) {
    bytes.assign(split.begin(), split.end());
    const Bytes& good = trained();
    if (control[0] % 4 == 1)
      std::copy_n(good.begin(), std::min<size_t>(8, bytes.size()), bytes.begin());
  } else {
    bytes = trained();
    if (control[0] % 4 == 2) damage(bytes, control, 160);
  }
  dwcp::Shared<Dictionary> dictionary;
  if (!Dictionary::make(bytes, kId, dictionary).ok()) return 0;
  decode(rest, (size_t{control[2]} << 12 | control[3]) % kMaxOutput, dictionary);
  give_back(rest, level, dictionary);
  Block frame;
  CompressOptions options{.level = level};
  options.dictionary = dictionary;
  if (!compress(pool(), rest, options, frame).ok()) return 0;
  Bytes bad(frame.bytes().begin(), frame.bytes().end());
  damage(bad, control, bad.size());
  decode(bad, rest.size(), dictionary);
  return 0;
}
