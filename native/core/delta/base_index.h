// The match index of a delta base: the hash of a short block at every `stride`-th position, in
// buckets of two, behind a bit filter small enough for the second-level cache. A hit is only a
// hint: whoever uses it compares the bytes. Immutable once built, so any number of threads may read
// it; the base is not held.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/codec/block.h"
#include "core/error_code.h"
#include "core/simd/match.h"

namespace dwcp::delta {

/// Largest base and largest content, bytes.
inline constexpr size_t kMaxSize = INT32_MAX;

class BaseIndex {
 public:
  /// Positions that may hold the block; `kNowhere` for none.
  using Candidates = std::array<uint32_t, 2>;
  static constexpr uint32_t kNowhere = UINT32_MAX;

  /// Indexes `base`, of at most `kMaxSize` bytes.
  static Status build(std::span<const uint8_t> base, BaseIndex& index);

  /// Memory an index of a base of `base_size` bytes takes, bytes.
  static size_t size_bytes_for(size_t base_size);

  size_t size_bytes() const { return filter_.bytes().size() + slots_.bytes().size(); }
  /// Size of the base it was built from, bytes.
  size_t base_size() const { return base_size_; }
  /// Bytes a hash covers.
  size_t block_size() const { return block_size_; }
  size_t stride() const { return stride_; }

  /// Hash of the block at `at`, of `block_size` readable bytes.
  uint64_t hash(const uint8_t* at) const {
    const uint64_t head = simd::load64(at) * 0x9e3779b185ebca87;
    const uint64_t tail = simd::load64(at + block_size_ - 8) * 0xc2b2ae3d27d4eb4f;
    const uint64_t mixed = (head ^ std::rotl(tail, 31)) * 0x165667b19e3779f9;
    return mixed ^ (mixed >> 29);
  }

  /// False when no indexed block has this hash.
  bool may_contain(uint64_t hash) const {
    const uint32_t bits = filter_mask(hash);
    return (filter()[scale(static_cast<uint32_t>(hash), filter_words_)] & bits) == bits;
  }

  void prefetch_filter(uint64_t hash) const {
    __builtin_prefetch(filter() + scale(static_cast<uint32_t>(hash), filter_words_));
  }
  void prefetch_bucket(uint64_t hash) const { __builtin_prefetch(bucket(hash)); }

  Candidates find(uint64_t hash) const {
    const Slot* slots = bucket(hash);
    return {position(slots[0], hash), position(slots[1], hash)};
  }

 private:
  /// Block number plus one, above eight bits of the hash; 0 is empty.
  using Slot = uint32_t;
  static constexpr uint32_t kTagMask = 0xff;
  static constexpr uint32_t kTagBits = 8;

  struct Shape {
    size_t block_size;
    size_t stride;
    size_t blocks;
    uint32_t buckets;
    uint32_t filter_words;
  };
  static Shape shape_of(size_t base_size);

  static uint64_t scale(uint64_t value32, uint32_t range) { return value32 * range >> 32; }

  /// Two bits of one word, from bits of the hash that do not choose the word.
  static uint32_t filter_mask(uint64_t hash) {
    return uint32_t{1} << (hash & 31) | uint32_t{1} << (hash >> 32 & 31);
  }
  uint32_t* filter() const { return reinterpret_cast<uint32_t*>(filter_.bytes().data()); }
  Slot* bucket(uint64_t hash) const {
    return reinterpret_cast<Slot*>(slots_.bytes().data()) + 2 * scale(hash >> 32, buckets_);
  }

  uint32_t position(Slot slot, uint64_t hash) const {
    if (slot == 0 || (slot & kTagMask) != (hash & kTagMask)) return kNowhere;
    return ((slot >> kTagBits) - 1) * static_cast<uint32_t>(stride_);
  }

  void insert(uint64_t hash, size_t block);

  codec::Block filter_;
  codec::Block slots_;
  size_t base_size_ = 0;
  size_t block_size_ = 16;
  size_t stride_ = 16;
  uint32_t buckets_ = 1;
  uint32_t filter_words_ = 1;
};

}  // namespace dwcp::delta
