// Plain zstd frames: what is exported comes back, several frames are one content, limits hold for
// all of them together, and damage is an error.
#include "core/codec/zstd_exchange.h"

#include <algorithm>
#include <vector>

#include "core/codec/zstd_codec.h"
#include "test/check.h"

namespace {

using namespace dwcp::codec;
using Bytes = std::vector<uint8_t>;

constexpr size_t kPlenty = size_t{64} << 20;

Bytes exported(ContextPool& pool, const Bytes& content, bool checksum) {
  Block frame;
  CHECK(export_frame(pool, content, {.checksum = checksum}, frame).ok());
  return {frame.bytes().begin(), frame.bytes().end()};
}

dwcp::ErrorCode outcome(ContextPool& pool, const Bytes& frames, size_t max_output,
                        const Bytes& expected) {
  Block content;
  const auto status = import_frames(
      pool, frames, {.max_output = max_output, .max_window_log = kMaxWindowLog}, content);
  if (!status.ok()) return status.code;
  const auto bytes = content.bytes();
  CHECK(std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end()));
  return dwcp::ErrorCode::kNone;
}

/// A frame of RLE blocks of zeros without a content size.
Bytes bomb(size_t blocks) {
  Bytes frame{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38};
  for (size_t i = 0; i < blocks; ++i) {
    const uint32_t header = uint32_t{131072} << 3 | 2 | (i + 1 == blocks ? 1 : 0);
    for (int byte = 0; byte < 3; ++byte) frame.push_back(static_cast<uint8_t>(header >> 8 * byte));
    frame.push_back(0);
  }
  return frame;
}

}  // namespace

TEST(frames_end_to_end_are_one_content) {
  ContextPool pool;
  Bytes frames;
  Bytes all;
  for (const size_t size : {0, 1, 5000, 300000, 0}) {
    const Bytes content = dwcp::test::sample(size, static_cast<uint32_t>(size), 20);
    const Bytes frame = exported(pool, content, size % 2 == 0);
    frames.insert(frames.end(), frame.begin(), frame.end());
    all.insert(all.end(), content.begin(), content.end());
    const Bytes skippable{0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7};
    frames.insert(frames.end(), skippable.begin(), skippable.end());
  }
  CHECK(outcome(pool, frames, kPlenty, all) == dwcp::ErrorCode::kNone);
  CHECK(outcome(pool, frames, all.size(), all) == dwcp::ErrorCode::kNone);
  CHECK(outcome(pool, frames, all.size() - 1, all) == dwcp::ErrorCode::OUTPUT_LIMIT);
  CHECK(outcome(pool, {}, kPlenty, {}) == dwcp::ErrorCode::CODEC);
}

TEST(unknown_sizes_stop_at_the_limit) {
  ContextPool pool;
  const Bytes zeros(4 * 131072);
  CHECK(outcome(pool, bomb(4), zeros.size(), zeros) == dwcp::ErrorCode::kNone);
  CHECK(outcome(pool, bomb(4), zeros.size() - 1, zeros) == dwcp::ErrorCode::OUTPUT_LIMIT);
  CHECK(outcome(pool, bomb(2048), size_t{1} << 20, {}) == dwcp::ErrorCode::OUTPUT_LIMIT);
}

TEST(every_cut_and_flip_ends_in_a_code_or_the_content) {
  ContextPool pool;
  const Bytes content = dwcp::test::sample(400, 5, 7);
  const Bytes frame = exported(pool, content, true);
  for (size_t size = 0; size < frame.size(); ++size) {
    CHECK(outcome(pool, {frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size)}, kPlenty,
                  content) != dwcp::ErrorCode::kNone);
  }
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    Bytes bad = frame;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    Block result;
    static_cast<void>(
        import_frames(pool, bad, {.max_output = 1000, .max_window_log = kMaxWindowLog}, result));
    CHECK(result.bytes().size() <= 1000);
  }
}
