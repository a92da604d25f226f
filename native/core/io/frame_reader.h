// Incremental reader of one direction of a link: pieces of bytes become frames. A frame that lies
// in one piece is a view of it; one that spans pieces is put together in an arena, copied once.
// Every field is checked before memory is taken for it. The same rules as
// lib/transport/frame-parser.ts.
#pragma once

#include <array>

#include "core/io/frame.h"
#include "core/io/slab_pool.h"

namespace dwcp::io {

/// Bytes received into a slab; the holder is a user of the slab.
struct Piece {
  SlabId slab = kNoSlab;
  uint8_t* data = nullptr;
  size_t size = 0;
};

/// Payloads up to this size lie behind their header. Longer ones that span pieces do not: two
/// frames of the largest size must fit into one slab.
inline constexpr uint32_t kMaxBehindHeader = kSlabSize / 2 - kHeaderSize;

/// A whole frame; the holder is a user of the slab. Of a preface only `preface` is set.
struct Unit {
  bool is_preface = false;
  FrameHeader header;
  Piece payload;
  std::array<uint32_t, 2> preface{};
};

enum class ReadStep : uint8_t {
  kUnit,      // a unit is there
  kHungry,    // the piece is used up
  kNoMemory,  // the budget is reached; call again later with the same piece
  kBroken     // `error()` says why; nothing more will come
};

class FrameReader {
 public:
  /// Takes bytes from the front of `input` until a unit is whole. The slab of `input` stays its
  /// owner's.
  ReadStep next(Piece& input, SlabPool& pool, SlabArena& arena, Unit& unit);
  /// Where the next bytes of the frame under way belong, for those who have them nowhere else yet:
  /// `fill` tells how many were put there. Empty after `kNoMemory`.
  std::span<uint8_t> room();
  ReadStep fill(size_t size, SlabPool& pool, SlabArena& arena, Unit& unit);

  ErrorCode error() const { return error_; }
  /// The header that broke the link.
  const FrameHeader& broken_header() const { return header_; }
  /// True when no frame has been begun and not finished.
  bool at_boundary() const { return filled_ == 0; }
  /// True when the frame under way has memory.
  bool holds_memory() const { return assembly_.slab != kNoSlab; }
  /// Under TLS, which proves every byte, the CRC of a frame is zero.
  void expect_no_checksum() { checksum_ = false; }
  /// Gives back what a frame under way holds.
  void reset(SlabPool& pool);

 private:
  ReadStep greet(Unit& unit);
  ReadStep whole(Piece& input, SlabPool& pool, Unit& unit);
  ReadStep collect(Piece& input, SlabPool& pool, SlabArena& arena, Unit& unit);
  ReadStep begin(SlabPool& pool, SlabArena& arena, Unit& unit);
  ReadStep finish(SlabPool& pool, Unit& unit);
  ReadStep broken(ErrorCode code);
  bool intact(const uint8_t* header, std::span<const uint8_t> payload) const;

  std::array<uint8_t, kHeaderSize> head_{};
  FrameHeader header_;
  Piece assembly_;
  size_t filled_ = 0;
  ErrorCode error_ = ErrorCode::kNone;
  bool greeted_ = false;
  bool checksum_ = true;
};

}  // namespace dwcp::io
