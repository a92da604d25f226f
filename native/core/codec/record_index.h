// What a dictionary is for the match finder of records: its content, the entropy tables at its
// head, and where in the content its byte strings are. Made once per dictionary, then only read, by
// any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/codec/block.h"
#include "core/codec/zstd_internal.h"

namespace dwcp::codec {

/// Bytes that must be readable before and behind a dictionary.
inline constexpr size_t kDictionaryMargin = 32;

/// Multipliers whose upper bits hash the eight and the first four or five bytes of a word.
inline constexpr uint64_t kLongPrime = 0xCF1BBCDCB7A56463;
inline constexpr uint64_t kShortPrime = 889523592379;

inline uint64_t hash_long(uint64_t word) { return word * kLongPrime; }
/// `shift` leaves out all but the first bytes.
inline uint64_t hash_short(uint64_t word, unsigned shift) { return (word << shift) * kShortPrime; }

/// Positions in a dictionary by hash. A slot holds the last position and eight more bits of its
/// hash: most strings that are not there are told apart without a look at the dictionary.
class PositionTable {
 public:
  /// Room for 2^`log` positions; false when memory is short.
  bool reserve(unsigned log);
  void put(uint64_t hash, size_t position) {
    slots()[slot_of(hash)] = static_cast<uint32_t>(position << kTagBits) | tag_of(hash);
  }
  /// What is in the slot of `hash`.
  uint32_t get(uint64_t hash) const { return slots()[slot_of(hash)]; }
  /// Whether `slot`, got for `hash`, is probably of the same string.
  bool is_for(uint32_t slot, uint64_t hash) const { return (slot & kTagMask) == tag_of(hash); }
  static size_t position(uint32_t slot) { return slot >> kTagBits; }
  size_t size_bytes() const { return block_.bytes().size(); }

 private:
  static constexpr unsigned kTagBits = 8;
  static constexpr uint32_t kTagMask = (1 << kTagBits) - 1;

  uint32_t* slots() const { return reinterpret_cast<uint32_t*>(block_.bytes().data()); }
  uint64_t slot_of(uint64_t hash) const { return hash >> shift_ >> kTagBits; }
  uint32_t tag_of(uint64_t hash) const { return static_cast<uint32_t>(hash >> shift_) & kTagMask; }

  Block block_;
  unsigned shift_ = 0;
};

class RecordIndex {
 public:
  /// An index of `dictionary`, trained or raw content, whose bytes and `kDictionaryMargin` more on
  /// both sides stay readable as long as it. Null when memory is short or its entropy tables are
  /// damaged.
  static std::unique_ptr<RecordIndex> make(std::span<const uint8_t> dictionary);

  /// The bytes that come before every record.
  std::span<const uint8_t> content() const { return content_; }
  /// Tables and repeat offsets that a record begins with.
  const ZSTD_compressedBlockState_t& state() const { return state_; }
  /// For `hash_short`.
  unsigned short_shift() const { return short_shift_; }
  /// Where eight bytes of the content are, and where four or five.
  const PositionTable& longs() const { return longs_; }
  const PositionTable& shorts() const { return shorts_; }
  /// Memory held, bytes.
  size_t size_bytes() const { return sizeof *this + longs_.size_bytes() + shorts_.size_bytes(); }

 private:
  bool load(std::span<const uint8_t> dictionary);
  bool enter_positions();

  std::span<const uint8_t> content_;
  ZSTD_compressedBlockState_t state_;
  PositionTable longs_;
  PositionTable shorts_;
  unsigned short_shift_ = 0;
};

}  // namespace dwcp::codec
