// What is compressed, with or without a prefix, at any level, must come back.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/codec/zstd_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static dwcp::codec::ContextPool pool;
  if (size < 2) return 0;
  const int level = dwcp::codec::kMinLevel + data[0] % 60;
  const std::span body(data + 2, size - 2);
  const auto prefix = body.first(body.size() * (data[1] % 5) / 8);
  const auto source = body.subspan(prefix.size());
  dwcp::codec::Block frame;
  if (!dwcp::codec::compress(pool, source, {level, prefix}, frame).ok()) std::abort();
  std::vector<uint8_t> target(source.size());
  const dwcp::codec::DecompressOptions options{source.size(), dwcp::codec::kMaxWindowLog, prefix};
  if (!dwcp::codec::decompress(pool, frame.bytes(), options, target).ok()) std::abort();
  if (!std::equal(target.begin(), target.end(), source.begin())) std::abort();
  return 0;
}
