// Round trips, prefix deltas, limits, and what damaged frames do.
#include "core/codec/zstd_codec.h"

#include <algorithm>

#include "test/check.h"

using dwcp::ErrorCode;
using dwcp::Status;
using dwcp::codec::Block;
using dwcp::codec::compress;
using dwcp::codec::CompressOptions;
using dwcp::codec::ContextPool;
using dwcp::codec::decompress;
using dwcp::codec::DecompressOptions;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

Bytes pack(ContextPool& pool, const Bytes& source, const CompressOptions& options = {}) {
  Block frame;
  CHECK(compress(pool, source, options, frame).ok());
  return {frame.bytes().begin(), frame.bytes().end()};
}

Status unpack(ContextPool& pool, const Bytes& frame, const DecompressOptions& options, Bytes& out) {
  out.assign(options.size_bytes, 0);
  return decompress(pool, frame, options, out);
}

ErrorCode code_of(ContextPool& pool, const Bytes& frame, const DecompressOptions& options) {
  Bytes out;
  return unpack(pool, frame, options, out).code;
}

/// A frame header with a window descriptor or a single segment, then one raw last block.
Bytes handmade(uint8_t descriptor, std::initializer_list<uint8_t> fields) {
  Bytes frame{0x28, 0xb5, 0x2f, 0xfd, descriptor};
  for (const uint8_t field : fields) frame.push_back(field);
  for (const uint8_t byte : {0x09, 0x00, 0x00, 0x61}) frame.push_back(byte);
  return frame;
}

}  // namespace

TEST(round_trips_at_every_level_and_size) {
  ContextPool pool;
  for (const int level : {-50, -5, 1, 3, 6, 19}) {
    for (const size_t size : {0, 1, 100, 5'000, 200'000}) {
      const Bytes source = sample(size, 5, 7);
      const Bytes frame = pack(pool, source, {.level = level});
      Bytes out;
      CHECK(unpack(pool, frame, {.size_bytes = size}, out).ok());
      CHECK(out == source);
    }
  }
}

TEST(a_prefix_makes_an_edit_cost_bytes_not_the_value) {
  ContextPool pool;
  const Bytes base = sample(size_t{3} << 20, 6);
  Bytes next = base;
  std::rotate(next.begin(), next.begin() + 1'000'000, next.end());
  next[2'000'000] ^= 0xff;
  const Bytes frame = pack(pool, next, {.level = 3, .prefix = base});
  CHECK(frame.size() < base.size() / 500);
  Bytes out;
  CHECK(unpack(pool, frame, {.size_bytes = next.size(), .prefix = base}, out).ok());
  CHECK(out == next);
}

TEST(a_prefix_may_be_the_source_itself_and_is_not_remembered) {
  ContextPool pool;
  const Bytes base = sample(100'000, 7);
  const Bytes with = pack(pool, base, {.level = 3, .prefix = base});
  CHECK(with.size() < 100);
  CHECK(pack(pool, base).size() > 100'000);
  Bytes out;
  CHECK(unpack(pool, with, {.size_bytes = base.size(), .prefix = base}, out).ok());
  CHECK(!unpack(pool, with, {.size_bytes = base.size()}, out).ok());
}

TEST(the_size_must_be_the_one_expected) {
  ContextPool pool;
  const Bytes frame = pack(pool, sample(1'000, 8));
  CHECK(code_of(pool, frame, {.size_bytes = 999}) == ErrorCode::OUTPUT_LIMIT);
  CHECK(code_of(pool, frame, {.size_bytes = 1'001}) == ErrorCode::CODEC);
}

TEST(the_window_limit_holds_for_one_shot_decoding) {
  ContextPool pool;
  const Bytes frame = pack(pool, sample(5'000'000, 9));
  const DecompressOptions tight{.size_bytes = 5'000'000, .max_window_log = 20};
  CHECK(code_of(pool, frame, tight) == ErrorCode::WINDOW_LIMIT);
  CHECK(code_of(pool, frame, {.size_bytes = 5'000'000}) == ErrorCode::kNone);
}

TEST(a_size_the_header_hides_is_still_bounded) {
  ContextPool pool;
  const Bytes unknown = handmade(0x00, {0x00});
  CHECK(code_of(pool, unknown, {.size_bytes = 1}) == ErrorCode::kNone);
  CHECK(code_of(pool, unknown, {.size_bytes = 0}) == ErrorCode::OUTPUT_LIMIT);
  CHECK(code_of(pool, unknown, {.size_bytes = 2}) == ErrorCode::CODEC);
}

TEST(headers_that_lie_are_refused) {
  ContextPool pool;
  CHECK(code_of(pool, handmade(0x20, {0x01}), {.size_bytes = 1}) == ErrorCode::kNone);
  CHECK(code_of(pool, handmade(0x28, {0x01}), {.size_bytes = 1}) == ErrorCode::CODEC);
  CHECK(code_of(pool, handmade(0x00, {0xff}), {.size_bytes = 1}) == ErrorCode::WINDOW_LIMIT);
  const Bytes exabytes = handmade(0xe0, {0, 0, 0, 0, 0, 0, 0, 0x10});
  CHECK(code_of(pool, exabytes, {.size_bytes = 1}) != ErrorCode::kNone);
  const Bytes skippable{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
  CHECK(code_of(pool, skippable, {.size_bytes = 0}) == ErrorCode::CODEC);
}

TEST(every_truncation_and_trailing_bytes_are_refused) {
  ContextPool pool;
  const Bytes source = sample(300, 10, 5);
  Bytes frame = pack(pool, source);
  for (size_t size = 0; size < frame.size(); ++size) {
    const Bytes cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size));
    CHECK(code_of(pool, cut, {.size_bytes = source.size()}) != ErrorCode::kNone);
  }
  frame.push_back(0);
  CHECK(code_of(pool, frame, {.size_bytes = source.size()}) == ErrorCode::CODEC);
}

TEST(every_byte_flip_ends_in_a_code_or_in_bytes) {
  ContextPool pool;
  const Bytes base = sample(500, 11, 20);
  Bytes source = base;
  std::reverse(source.begin() + 100, source.begin() + 200);
  const Bytes frame = pack(pool, source, {.level = 3, .prefix = base});
  size_t refused = 0;
  for (size_t at = 0; at < frame.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes damaged = frame;
      damaged[at] ^= static_cast<uint8_t>(1 << bit);
      const DecompressOptions options{.size_bytes = source.size(), .prefix = base};
      refused += code_of(pool, damaged, options) != ErrorCode::kNone;
    }
  }
  CHECK(refused > frame.size());
}

TEST(a_bad_level_is_a_codec_error_not_a_crash) {
  ContextPool pool;
  Block frame;
  const Bytes source = sample(10, 12);
  CHECK(compress(pool, source, {.level = 1'000}, frame).ok());  // zstd clamps levels
  CHECK(std::string_view(dwcp::codec::zstd_version()).starts_with("1."));
}
