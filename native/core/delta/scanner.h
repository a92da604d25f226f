// Finds what of the next content is already in the base, front to back, as operations: some new
// bytes, then a copy. An edited value mostly keeps its place, so after a copy the same alignment is
// tried first; only where that fails is the index asked. Every match is extended both ways.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/codec/column.h"
#include "core/delta/base_index.h"

namespace dwcp::delta {

/// `literal` new bytes, then `copy` bytes of the base at `from`.
struct Op {
  uint32_t literal;
  uint32_t copy;
  uint32_t from;
};

/// What counts as a match.
struct ScanOptions {
  /// Shortest match at the alignment of the copy before, bytes; at least 4.
  size_t min_aligned;
  /// How far behind the copy before such a match may begin, bytes.
  size_t aligned_reach;
  /// An aligned match of this size is taken without asking the index, bytes.
  size_t sure_aligned;
  /// Shortest match near the end of the copy before: its offset is small, bytes.
  size_t min_near;
  /// Such a match is not looked for before this many new bytes, as a change in place is shorter.
  size_t near_after;
  /// Shortest match elsewhere: it costs an offset, bytes.
  size_t min_elsewhere;
  /// The index is not asked before this many new bytes; a match found later reaches back over them.
  size_t ask_after;
};

/// Bounds of one run of `Scanner::next`.
struct ScanBounds {
  size_t max_ops;
  size_t max_literals;
};

class Scanner {
 public:
  Scanner(const BaseIndex& index, std::span<const uint8_t> base, std::span<const uint8_t> content,
          const ScanOptions& options);

  /// Appends operations until a bound is reached or the content is at its end; trailing new bytes
  /// become an operation with an empty copy.
  void next(const ScanBounds& bounds, codec::Column<Op>& ops);

  bool done() const { return covered_ == content_.size(); }
  /// Bytes of content the operations so far make.
  size_t covered() const { return covered_; }

 private:
  struct Match {
    size_t start = 0;
    size_t size = 0;
    size_t from = 0;
  };

  /// Hashes of some positions of the content, and which of them the index may hold. They are taken
  /// together because each costs a cache miss, and misses overlap.
  struct Window {
    static constexpr size_t kLeast = 4;
    static constexpr size_t kSize = 16;
    size_t start = 0;
    size_t end = 0;
    size_t step = 1;
    uint32_t hits = 0;
    std::array<uint64_t, kSize> hashes;
  };

  /// Which groups of four bytes the base has around the end of the copy before, hashed: most
  /// positions of the content match none.
  struct Near {
    static constexpr size_t kBits = 4096;
    size_t covered = SIZE_MAX;  // where the content was when it was taken
    size_t first = 0;
    size_t last = 0;
    std::array<uint64_t, kBits / 64> seen;

    static size_t slot(uint32_t group) { return group * 0x9e3779b1U >> 20; }
    bool may_contain(uint32_t group) const {
      return (seen[slot(group) / 64] >> slot(group) % 64 & 1) != 0;
    }
  };

  Match aligned(size_t at) const;
  void look_around();
  void improve_near(size_t at, Match& best);
  void improve(size_t at, uint64_t hash, Match& best) const;
  size_t run(size_t from, size_t at) const;
  /// The match to take at `at`, if any. Where there is none, moves `at` to the last position that
  /// cannot begin one, before `stop`.
  Match match_at(size_t& at, size_t stop);
  void append(const Match& match, codec::Column<Op>& ops);
  void look_ahead(size_t at);
  /// The next position from `at` on the index may hold; some position from `limit` on when there is
  /// none before it.
  size_t next_hit(size_t at, size_t limit);

  const BaseIndex& index_;
  std::span<const uint8_t> base_;
  std::span<const uint8_t> content_;
  ScanOptions options_;
  size_t covered_ = 0;
  /// Base position minus content position of the last copy; may wrap.
  size_t alignment_ = 0;
  Window window_;
  Near near_;
  /// Where the last block of the content begins, plus one.
  size_t hash_end_;
};

}  // namespace dwcp::delta
