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
/// `prime` is kShortPrime, shifted to leave out all but the first bytes.
inline uint64_t hash_short(uint64_t word, uint64_t prime) { return word * prime; }

/// Positions in a dictionary by hash. A slot holds the last position and eight more bits of its
/// hash: most strings that are not there are told apart without a look at the dictionary. A view,
/// to be held by value where every look counts.
class PositionTable {
 public:
  PositionTable() = default;
  /// Of 2^`log` `slots`.
  PositionTable(uint32_t* slots, unsigned log) : slots_(slots), slot_shift_(64 - log) {}

  void put(uint64_t hash, size_t position) const {
    slots_[hash >> slot_shift_] = static_cast<uint32_t>(position << kTagBits) | tag_of(hash);
  }
  /// What is in the slot of `hash`.
  uint32_t get(uint64_t hash) const { return slots_[hash >> slot_shift_]; }
  /// Whether `slot`, got for `hash`, is probably of the same string.
  bool is_for(uint32_t slot, uint64_t hash) const { return (slot & kTagMask) == tag_of(hash); }
  static size_t position(uint32_t slot) { return slot >> kTagBits; }

 private:
  static constexpr unsigned kTagBits = 8;
  static constexpr uint32_t kTagMask = (1 << kTagBits) - 1;

  uint32_t tag_of(uint64_t hash) const {
    return static_cast<uint32_t>(hash >> (slot_shift_ - kTagBits)) & kTagMask;
  }

  uint32_t* slots_ = nullptr;
  unsigned slot_shift_ = 0;
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
  uint64_t short_prime() const { return short_prime_; }
  /// Where eight bytes of the content are, and where four or five.
  const PositionTable& longs() const { return longs_; }
  const PositionTable& shorts() const { return shorts_; }
  /// Memory held, bytes.
  size_t size_bytes() const { return sizeof *this + slots_.bytes().size(); }

 private:
  bool load(std::span<const uint8_t> dictionary);
  bool enter_positions();

  std::span<const uint8_t> content_;
  ZSTD_compressedBlockState_t state_;
  Block slots_;  // of both tables
  PositionTable longs_;
  PositionTable shorts_;
  uint64_t short_prime_ = 0;
};

}  // namespace dwcp::codec
