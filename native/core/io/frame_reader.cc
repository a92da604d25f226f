// See frame_reader.h.
#include "core/io/frame_reader.h"

#include <algorithm>

namespace dwcp::io {
namespace {

void skip(Piece& piece, size_t size) {
  piece.data += size;
  piece.size -= size;
}

}  // namespace

ReadStep FrameReader::next(Piece& input, SlabPool& pool, SlabArena& arena, Unit& unit) {
  if (error_ != ErrorCode::kNone) return ReadStep::kBroken;
  if (input.size == 0) return ReadStep::kHungry;
  if (!greeted_ || filled_ > 0 || input.size < kHeaderSize) {
    return collect(input, pool, arena, unit);
  }
  header_ = read_header(input.data);
  if (const ErrorCode code = check_header(header_); code != ErrorCode::kNone) return broken(code);
  if (input.size < kHeaderSize + header_.length) return collect(input, pool, arena, unit);
  return whole(input, pool, unit);
}

void FrameReader::reset(SlabPool& pool) {
  if (holds_memory()) {
    pool.end_frame(assembly_.slab);
    pool.release(assembly_.slab);
  }
  assembly_ = {};
  filled_ = 0;
}

/// The common case: the frame is all there.
ReadStep FrameReader::whole(Piece& input, SlabPool& pool, Unit& unit) {
  const std::span<const uint8_t> payload(input.data + kHeaderSize, header_.length);
  if (!intact(input.data, payload)) {
    return broken(ErrorCode::FRAME_CHECKSUM);
  }
  unit.is_preface = false;
  unit.header = header_;
  unit.payload = {input.slab, input.data + kHeaderSize, header_.length};
  pool.retain(input.slab);
  skip(input, kHeaderSize + header_.length);
  return ReadStep::kUnit;
}

/// A frame in parts.
ReadStep FrameReader::collect(Piece& input, SlabPool& pool, SlabArena& arena, Unit& unit) {
  for (;;) {
    const auto into = room();
    const size_t copied = std::min(input.size, into.size());
    if (copied > 0) std::memcpy(into.data(), input.data, copied);
    skip(input, copied);
    const ReadStep step = fill(copied, pool, arena, unit);
    if (step != ReadStep::kHungry || input.size == 0) return step;
  }
}

std::span<uint8_t> FrameReader::room() {
  if (holds_memory()) {
    return {assembly_.data + assembly_.size, header_.length - assembly_.size};
  }
  return std::span(head_).first(greeted_ ? kHeaderSize : kPrefaceSize).subspan(filled_);
}

ReadStep FrameReader::fill(size_t size, SlabPool& pool, SlabArena& arena, Unit& unit) {
  if (error_ != ErrorCode::kNone) return ReadStep::kBroken;
  if (holds_memory()) {
    assembly_.size += size;
    return assembly_.size < header_.length ? ReadStep::kHungry : finish(pool, unit);
  }
  filled_ += size;
  if (filled_ < (greeted_ ? kHeaderSize : kPrefaceSize)) return ReadStep::kHungry;
  return greeted_ ? begin(pool, arena, unit) : greet(unit);
}

ReadStep FrameReader::greet(Unit& unit) {
  filled_ = 0;
  unit = {};
  unit.is_preface = true;
  unit.preface = {load_le<uint32_t>(head_.data()), load_le<uint32_t>(head_.data() + 4)};
  if (unit.preface[0] != kMagic) return broken(ErrorCode::FRAME_MAGIC);
  greeted_ = true;
  return ReadStep::kUnit;
}

/// The header is in `head_`: the payload goes into the arena, behind a copy of it unless it is
/// among the largest.
ReadStep FrameReader::begin(SlabPool& pool, SlabArena& arena, Unit& unit) {
  header_ = read_header(head_.data());
  if (const ErrorCode code = check_header(header_); code != ErrorCode::kNone) return broken(code);
  if (header_.length == 0) return finish(pool, unit);
  const size_t before = header_.length <= kMaxBehindHeader ? kHeaderSize : 0;
  uint8_t* frame = arena.allocate(before + header_.length, assembly_.slab);
  if (frame == nullptr) return ReadStep::kNoMemory;
  pool.begin_frame(assembly_.slab);
  std::memcpy(frame, head_.data(), before);
  assembly_.data = frame + before;
  assembly_.size = 0;
  return ReadStep::kHungry;
}

ReadStep FrameReader::finish(SlabPool& pool, Unit& unit) {
  if (!intact(head_.data(), {assembly_.data, assembly_.size})) {
    reset(pool);
    return broken(ErrorCode::FRAME_CHECKSUM);
  }
  unit.is_preface = false;
  unit.header = header_;
  unit.payload = assembly_;
  if (holds_memory()) pool.end_frame(assembly_.slab);
  assembly_ = {};
  filled_ = 0;
  return ReadStep::kUnit;
}

bool FrameReader::intact(const uint8_t* header, std::span<const uint8_t> payload) const {
  const auto told = load_le<uint32_t>(header + kCrcOffset);
  return told == (checksum_ ? frame_crc(header, payload) : 0);
}

ReadStep FrameReader::broken(ErrorCode code) {
  error_ = code;
  return ReadStep::kBroken;
}

}  // namespace dwcp::io
