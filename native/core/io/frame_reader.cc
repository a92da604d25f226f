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
  if (!greeted_) return read_preface(input, unit);
  if (filled_ > 0 || input.size < kHeaderSize) return collect(input, pool, arena, unit);
  header_ = read_header(input.data);
  if (const ErrorCode code = check_header(header_); code != ErrorCode::kNone) return broken(code);
  if (input.size < kHeaderSize + header_.length) return collect(input, pool, arena, unit);
  return whole(input, pool, unit);
}

void FrameReader::reset(SlabPool& pool) {
  if (assembly_.slab != kNoSlab) {
    pool.end_frame(assembly_.slab);
    pool.release(assembly_.slab);
  }
  assembly_ = {};
  filled_ = 0;
}

ReadStep FrameReader::read_preface(Piece& input, Unit& unit) {
  if (!fill_head(input, kPrefaceSize)) return ReadStep::kHungry;
  filled_ = 0;
  unit = {};
  unit.is_preface = true;
  unit.preface = {load_le<uint32_t>(head_.data()), load_le<uint32_t>(head_.data() + 4)};
  if (unit.preface[0] != kMagic) return broken(ErrorCode::FRAME_MAGIC);
  greeted_ = true;
  return ReadStep::kUnit;
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

/// A frame in parts: first its header into `head_`, then its payload into the arena, behind it
/// unless it is among the largest.
ReadStep FrameReader::collect(Piece& input, SlabPool& pool, SlabArena& arena, Unit& unit) {
  if (assembly_.slab == kNoSlab) {
    if (!fill_head(input, kHeaderSize)) return ReadStep::kHungry;
    header_ = read_header(head_.data());
    if (const ErrorCode code = check_header(header_); code != ErrorCode::kNone) return broken(code);
    if (header_.length > 0) {
      const size_t before = header_.length <= kMaxBehindHeader ? kHeaderSize : 0;
      uint8_t* frame = arena.allocate(before + header_.length, assembly_.slab);
      if (frame == nullptr) return ReadStep::kNoMemory;
      pool.begin_frame(assembly_.slab);
      std::memcpy(frame, head_.data(), before);
      assembly_.data = frame + before;
    }
    assembly_.size = 0;
  }
  const size_t copied = std::min(input.size, header_.length - assembly_.size);
  if (copied > 0) std::memcpy(assembly_.data + assembly_.size, input.data, copied);
  assembly_.size += copied;
  skip(input, copied);
  if (assembly_.size < header_.length) return ReadStep::kHungry;
  if (!intact(head_.data(), {assembly_.data, assembly_.size})) {
    reset(pool);
    return broken(ErrorCode::FRAME_CHECKSUM);
  }
  unit.is_preface = false;
  unit.header = header_;
  unit.payload = assembly_;
  if (assembly_.slab != kNoSlab) pool.end_frame(assembly_.slab);
  assembly_ = {};
  filled_ = 0;
  return ReadStep::kUnit;
}

/// Moves bytes into `head_` until it holds `size` of them.
bool FrameReader::fill_head(Piece& input, size_t size) {
  const size_t copied = std::min(input.size, size - filled_);
  if (copied > 0) std::memcpy(head_.data() + filled_, input.data, copied);
  filled_ += copied;
  skip(input, copied);
  return filled_ == size;
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
