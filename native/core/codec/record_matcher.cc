// The record is copied to where it has margins, so that bytes are compared and copied in words. Its
// own positions are kept in 16 bits and cleared for every record, which for small ones costs less
// than telling old from new. Comparisons say where the next one begins, so they are made of few
// dependent steps and of branches that the CPU can guess, not of selections it must wait for.
#include "core/codec/record_matcher.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/inline.h"
#include "core/simd/match.h"

namespace dwcp::codec {
namespace {

using simd::load32;
using simd::load64;

constexpr size_t kMargin = 32;
constexpr size_t kWord = sizeof(uint64_t);
/// Bytes without a repeat after which a further position is left out at every step.
constexpr unsigned kSkipLog = 8;

/// Bits of a record's tables: a slot for each position, of which few are entered, so that what is
/// found in a slot is mostly of the same string.
unsigned table_log(size_t size) {
  constexpr unsigned kLeast = 8;
  constexpr unsigned kMost = 16;
  return std::clamp(static_cast<unsigned>(std::bit_width(size)), kLeast, kMost);
}

DWCP_INLINE size_t equal_bits(uint64_t difference) {
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<size_t>(std::countr_zero(difference));
  } else {
    return static_cast<size_t>(std::countl_zero(difference));
  }
}

/// Equal bytes from `a` and `b` on, at most `limit`; 16 bytes at a time, and as many more readable.
DWCP_INLINE size_t forward(const uint8_t* a, const uint8_t* b, size_t limit) {
  for (size_t at = 0;; at += 2 * kWord) {
    if (at >= limit) return limit;
    const uint64_t first = load64(a + at) ^ load64(b + at);
    const uint64_t second = load64(a + at + kWord) ^ load64(b + at + kWord);
    if ((first | second) == 0) continue;
    const size_t bits = equal_bits(first != 0 ? first : second) + (first != 0 ? 0 : 64);
    return std::min(at + bits / 8, limit);
  }
}

/// Equal bytes before `a` and `b`, at most `limit`; 8 more are readable.
DWCP_INLINE size_t backward(const uint8_t* a, const uint8_t* b, size_t limit) {
  for (size_t at = 0; at < limit; at += kWord) {
    const uint64_t difference = load64(a - at - kWord) ^ load64(b - at - kWord);
    if (difference == 0) continue;
    const auto zeros = std::endian::native == std::endian::little ? std::countl_zero(difference)
                                                                  : std::countr_zero(difference);
    return std::min(at + static_cast<size_t>(zeros) / 8, limit);
  }
  return limit;
}

/// One record being parsed. Lives in registers: every member function is inlined.
struct Parser {
  const PositionTable long_table;
  const PositionTable short_table;
  uint16_t* const own_longs;
  uint16_t* const own_shorts;
  const unsigned shift;  // of hashes into the record's tables
  const uint64_t short_prime;
  const uint8_t* const dictionary;
  const uint8_t* const dictionary_end;
  const uint8_t* const begin;
  const uint8_t* const end;
  const uint8_t* at;
  const uint8_t* anchor;  // first byte that no sequence has taken
  SeqDef* sequence;
  uint8_t* literal;
  size_t offset;           // of the last repeat
  size_t previous_offset;  // of the one before

  // Positions in the record's tables are one higher; 0 is none, and its place is in the margin.
  DWCP_INLINE uint16_t& own_long(uint64_t hash) const { return own_longs[hash >> shift]; }
  DWCP_INLINE uint16_t& own_short(uint64_t hash) const { return own_shorts[hash >> shift]; }
  DWCP_INLINE uint16_t entry(const uint8_t* place) const {
    return static_cast<uint16_t>(place - begin + 1);
  }
  DWCP_INLINE const uint8_t* place(size_t entry) const { return begin - 1 + entry; }
  DWCP_INLINE static bool is_own(size_t entry) { return entry != 0; }
  DWCP_INLINE size_t left() const { return static_cast<size_t>(end - at); }

  /// A sequence that repeats `length` bytes from `at` on.
  DWCP_INLINE void store(uint32_t offset_base, size_t length) {
    const auto literals = static_cast<size_t>(at - anchor);
    for (size_t i = 0; i == 0 || i < literals; i += 16) std::memcpy(literal + i, anchor + i, 16);
    literal += literals;
    *sequence++ = {offset_base, static_cast<uint16_t>(literals),
                   static_cast<uint16_t>(length - MINMATCH)};
    at += length;
    anchor = at;
  }

  /// Takes what `source` in the record repeats, `known` bytes of which are the same.
  DWCP_INLINE void take_own(const uint8_t* source, size_t known) {
    const size_t more = forward(at + known, source + known, left() - known);
    const size_t room = std::min(at - anchor, source - begin);
    const size_t before = backward(at, source, room);
    previous_offset = offset;
    offset = static_cast<size_t>(at - source);
    at -= before;
    store(static_cast<uint32_t>(offset) + ZSTD_REP_NUM, before + known + more);
  }

  /// The same for a place in the dictionary.
  DWCP_INLINE void take_shared(const uint8_t* source, size_t known) {
    const auto rest = static_cast<size_t>(dictionary_end - source);
    const size_t more = forward(at + known, source + known, std::min(left(), rest) - known);
    const size_t room = std::min(at - anchor, source - dictionary);
    const size_t before = backward(at, source, room);
    previous_offset = offset;
    offset = static_cast<size_t>(at - begin) + rest;
    at -= before;
    store(static_cast<uint32_t>(offset) + ZSTD_REP_NUM, before + known + more);
  }

  /// Length of the repeat at `place` of what lies `distance` before it, 0 when below four bytes.
  DWCP_INLINE size_t repeat(const uint8_t* place, size_t distance) const {
    const auto position = static_cast<size_t>(place - begin);
    const bool own = distance <= position;
    // A selection: which of the two it is cannot be guessed, and there is seldom a repeat at all.
    const auto origin = reinterpret_cast<uintptr_t>(own ? begin : dictionary_end);
    const auto* source = reinterpret_cast<const uint8_t*>(origin + position - distance);
    if (load32(source) != load32(place)) return 0;
    const auto rest = static_cast<size_t>(end - place);
    if (own) return forward(place, source, rest);
    const size_t shared = distance - position;
    if (shared < RecordMatcher::kLeastMatch) return 0;
    return forward(place, source, std::min(rest, shared));
  }

  /// Enters what lies around the end of a sequence, and takes what repeats at once.
  DWCP_INLINE void settle(const uint8_t* limit) {
    if (at > limit) return;
    own_long(hash_long(load64(at - 2))) = entry(at - 2);
    own_short(hash_short(load64(at - 1), short_prime)) = entry(at - 1);
    while (at <= limit) {
      const size_t length = repeat(at, previous_offset);
      if (length == 0) return;
      std::swap(offset, previous_offset);
      const uint64_t word = load64(at);
      own_long(hash_long(word)) = own_short(hash_short(word, short_prime)) = entry(at);
      store(1, length);
    }
  }

  /// Whether eight bytes at `at`, which are `word`, were found and taken.
  DWCP_INLINE bool take_long(uint64_t word, uint64_t hash, size_t own) {
    if (is_own(own) & (load64(place(own)) == word)) {
      take_own(place(own), kWord);
      return true;
    }
    const uint32_t slot = long_table.get(hash);
    if (!long_table.is_for(slot, hash)) return false;
    const uint8_t* source = dictionary + PositionTable::position(slot);
    if (load64(source) != word) return false;
    take_shared(source, kWord);
    return true;
  }

  /// Whether there are eight bytes at the next position, which are better than four here.
  DWCP_INLINE bool take_next() {
    const uint64_t word = load64(at + 1);
    const uint64_t hash = hash_long(word);
    const size_t own = own_long(hash);
    own_long(hash) = entry(++at);
    if (take_long(word, hash, own)) return true;
    --at;
    return false;
  }

  /// Looks at one position. False when nothing begins there.
  DWCP_INLINE bool step() {
    constexpr size_t kShort = RecordMatcher::kLeastMatch;
    const uint64_t word = load64(at);
    const uint64_t long_hash = hash_long(word);
    const uint64_t short_hash = hash_short(word, short_prime);
    const size_t own_long_entry = own_long(long_hash);
    const size_t own_short_entry = own_short(short_hash);
    own_long(long_hash) = own_short(short_hash) = entry(at);
    if (const size_t length = repeat(at + 1, offset); length != 0) {
      ++at;
      store(1, length);
      return true;
    }
    if (take_long(word, long_hash, own_long_entry)) return true;
    const bool short_equal = load32(place(own_short_entry)) == static_cast<uint32_t>(word);
    if (is_own(own_short_entry) & short_equal) {
      if (!take_next()) take_own(place(own_short_entry), kShort);
      return true;
    }
    const uint32_t slot = short_table.get(short_hash);
    if (!short_table.is_for(slot, short_hash)) return false;
    const uint8_t* source = dictionary + PositionTable::position(slot);
    if (load32(source) != static_cast<uint32_t>(word)) return false;
    if (!take_next()) take_shared(source, kShort);
    return true;
  }

  DWCP_INLINE void run() {
    const uint8_t* limit = end - kWord;
    while (at < limit) {
      if (step()) {
        settle(limit);
      } else {
        at += (static_cast<size_t>(at - anchor) >> kSkipLog) + 1;
      }
    }
  }
};

/// What is found, as the end of a parser. By value: what is in memory could be what is written.
struct Found {
  SeqDef* sequence;
  uint8_t* literal;
  const uint8_t* anchor;
};

DWCP_INLINE Found run(Parser parser) {
  parser.run();
  return {parser.sequence, parser.literal, parser.anchor};
}

Found run_anywhere(const Parser& parser) { return run(parser); }

#if DYNAMIC_BMI2
/// Shifts by what is in any register, of which there are too few.
BMI2_TARGET_ATTRIBUTE Found run_bmi2(const Parser& parser) { return run(parser); }
#else
constexpr auto run_bmi2 = run_anywhere;
#endif

}  // namespace

bool RecordMatcher::reserve(size_t content_size) {
  if (content_size <= room_) return true;
  constexpr size_t kLeastRoom = 2048;
  const size_t room = std::bit_ceil(std::max(content_size, kLeastRoom));
  const size_t table = sizeof(uint16_t) << table_log(room);
  const size_t sequences = sizeof(SeqDef) * (room / kLeastMatch + 1);
  const size_t bytes = room + 2 * kMargin;
  Block memory = Block::reserve(2 * table + sequences + 2 * bytes);
  if (!memory.valid()) return false;
  memory_ = std::move(memory);
  room_ = room;
  uint8_t* next = memory_.bytes().data();
  const auto cut = [&next](size_t size) { return std::exchange(next, next + size); };
  tables_ = reinterpret_cast<uint16_t*>(cut(2 * table));
  sequences_ = reinterpret_cast<SeqDef*>(cut(sequences));
  content_ = cut(bytes) + kMargin;
  literals_ = cut(bytes);
  std::memset(content_ - kMargin, 0, bytes);
  return true;
}

RecordParse RecordMatcher::parse(std::span<const uint8_t> content, const RecordIndex& index) {
  const size_t size = content.size();
  if (size <= kWord) return {.literals = content, .sequences = {}};
  std::memcpy(content_, content.data(), size);
  const unsigned log = table_log(size);
  std::memset(tables_, 0, 2 * sizeof(uint16_t) << log);
  const auto shared = index.content();
  const U32* repeats = index.state().rep;
  const Parser parser{.long_table = index.longs(),
                      .short_table = index.shorts(),
                      .own_longs = tables_,
                      .own_shorts = tables_ + (size_t{1} << log),
                      .shift = 64 - log,
                      .short_prime = index.short_prime(),
                      .dictionary = shared.data(),
                      .dictionary_end = shared.data() + shared.size(),
                      .begin = content_,
                      .end = content_ + size,
                      .at = content_,
                      .anchor = content_,
                      .sequence = sequences_,
                      .literal = literals_,
                      .offset = repeats[0],
                      .previous_offset = repeats[1]};
  const Found found = (bmi2_ ? run_bmi2 : run_anywhere)(parser);
  const auto rest = static_cast<size_t>(parser.end - found.anchor);
  std::memcpy(found.literal, found.anchor, rest);
  const auto literals = static_cast<size_t>(found.literal - literals_) + rest;
  return {.literals = {literals_, literals},
          .sequences = {sequences_, static_cast<size_t>(found.sequence - sequences_)}};
}

}  // namespace dwcp::codec
