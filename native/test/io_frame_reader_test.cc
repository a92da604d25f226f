// Link frames in any pieces: whole, cut anywhere, broken in each field, and without memory.
#include <memory>

#include "core/io/frame_reader.h"
#include "test/check.h"
#include "test/io_frames.h"

using namespace dwcp::io;
using dwcp::ErrorCode;
using dwcp::test::Frames;
using dwcp::test::Pieces;

TEST(frames_cut_anywhere_are_the_frames_of_the_whole) {
  Frames made;
  for (const size_t size : {0, 1, 15, 16, 17, 300, 4096}) made.add(size);
  Pieces whole;
  CHECK(whole.feed(made.bytes) == ErrorCode::kNone);
  CHECK(whole.frames == made.frames && whole.prefaces == 1 && whole.reader.at_boundary());
  for (size_t cut = 0; cut <= made.bytes.size(); ++cut) {
    Pieces pieces;
    CHECK(pieces.feed(std::span(made.bytes).first(cut)) == ErrorCode::kNone);
    CHECK(pieces.feed(std::span(made.bytes).subspan(cut)) == ErrorCode::kNone);
    CHECK(pieces.frames == made.frames);
    CHECK(pieces.give_back() == 0);
  }
}

TEST(frames_come_byte_by_byte_at_the_largest_size_too) {
  Frames made;
  made.add(kMaxPayload);
  made.add(3);
  Pieces pieces;
  for (const uint8_t& byte : made.bytes) {
    CHECK(pieces.feed(std::span(&byte, 1)) == ErrorCode::kNone);
  }
  CHECK(pieces.frames == made.frames);
  CHECK(pieces.give_back() == 0);
}

TEST(frames_read_to_where_they_lie_are_the_frames_of_the_whole) {
  Frames made;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{300}, size_t{kMaxPayload}}) made.add(size);
  for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}, SIZE_MAX}) {
    Pieces pieces;
    CHECK(pieces.place(made.bytes, step) == ErrorCode::kNone);
    CHECK(pieces.frames == made.frames && pieces.prefaces == 1 && pieces.reader.at_boundary());
    CHECK(pieces.give_back() == 0);
  }
  made.bytes.back() ^= 1;
  Pieces damaged;
  CHECK(damaged.place(made.bytes, 100) == ErrorCode::FRAME_CHECKSUM);
  CHECK(damaged.frames.size() == made.frames.size() - 1);
  CHECK(damaged.give_back() == 0);
}

TEST(each_broken_field_has_its_code_and_nothing_follows) {
  struct Fault {
    size_t at;
    uint8_t value;
    ErrorCode code;
  };
  constexpr size_t kFrame = kPrefaceSize;
  for (const Fault& fault :
       {Fault{0, 'X', ErrorCode::FRAME_MAGIC}, Fault{kFrame + 2, 2, ErrorCode::LIMIT},
        Fault{kFrame + 4, 0, ErrorCode::FRAME_KIND}, Fault{kFrame + 4, 99, ErrorCode::FRAME_KIND},
        Fault{kFrame + 5, 0x20, ErrorCode::FRAME_FLAGS},
        Fault{kFrame + 6, 9, ErrorCode::FRAME_CHECKSUM},
        Fault{kFrame + 12, 9, ErrorCode::FRAME_CHECKSUM},
        Fault{kFrame + 20, 9, ErrorCode::FRAME_CHECKSUM}}) {
    for (const size_t cut : {size_t{0}, size_t{3}, kFrame + 7, kFrame + 30}) {
      Frames made;
      made.add(100);
      made.bytes[fault.at] = fault.value;
      Pieces pieces;
      pieces.feed(std::span(made.bytes).first(cut));
      CHECK(pieces.feed(std::span(made.bytes).subspan(cut)) == fault.code);
      CHECK(pieces.feed(made.bytes) == fault.code);
      CHECK(pieces.frames.empty());
      CHECK(pieces.give_back() == 0);
    }
  }
}

TEST(a_frame_that_finds_no_memory_is_whole_once_there_is_some) {
  Frames made;
  made.add(60'000);
  made.add(5);
  Pieces pieces;
  // Hold all that frames may be put together in.
  std::vector<SlabId> held;
  for (SlabId slab = 0; slab != kNoSlab;) {
    slab = pieces.pool.acquire(SlabUse::kAssembly);
    if (slab != kNoSlab) held.push_back(slab);
  }
  pieces.hold(std::span(made.bytes).first(1000));
  CHECK(pieces.drain() == ReadStep::kNoMemory);
  CHECK(pieces.drain() == ReadStep::kNoMemory);
  for (const SlabId slab : held) pieces.pool.release(slab);
  CHECK(pieces.drain() == ReadStep::kHungry);
  CHECK(pieces.feed(std::span(made.bytes).subspan(1000)) == ErrorCode::kNone);
  CHECK(pieces.frames == made.frames);
  CHECK(pieces.give_back() == 0);
}
