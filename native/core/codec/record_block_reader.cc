// Follows ZSTD_decompressSequences of zstd_decompress_block.c, and takes and refuses what it does.
// One load of bits serves a whole sequence, one entry of 8 bytes each of its codes, and a copy
// takes the same steps from the dictionary as from the record.
#include "core/codec/record_block_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/codec/record_index.h"
#include "core/inline.h"

namespace dwcp::codec {
namespace {

constexpr size_t kWord = sizeof(uint64_t);
constexpr size_t kStep = 16;
/// Copied at once, and so written past the end; literals and dictionaries have as much to read.
constexpr size_t kStride = 2 * kStep;
static_assert(kStride <= kDictionaryMargin && kStride <= WILDCOPY_OVERLENGTH);

/// The two may overlap: all is read before any is written.
DWCP_INLINE void copy_step(uint8_t* to, const uint8_t* from) {
  using Step __attribute__((vector_size(kStep))) = uint8_t;
  Step step;
  std::memcpy(&step, from, kStep);
  std::memcpy(to, &step, kStep);
}

/// Bits of a block's last part, read from the end to the front.
struct Bits {
  /// A load gives at least so many.
  static constexpr unsigned kLoaded = 56;

  explicit Bits(std::span<const uint8_t> stream)
      : begin(stream.data()),
        next(stream.data() + stream.size() - kWord),
        taken(static_cast<unsigned>(std::countl_zero(stream.back())) + 1) {}

  const uint8_t* const begin;
  const uint8_t* next;  // of the word
  uint64_t word = 0;
  size_t taken;  // of the word, from the top

  /// False when more were taken than there are. The word keeps the last bit that was taken, and so
  /// begins less than a word before `begin`.
  DWCP_INLINE bool load() {
    next -= (taken - 1) >> 3;
    taken = ((taken - 1) & 7) + 1;
    if (left() < 0) return false;
    word = MEM_readLE64(next);
    return true;
  }
  DWCP_INLINE int64_t left() const {
    return (next + kWord - begin) * 8 - static_cast<int64_t>(taken);
  }
  DWCP_INLINE size_t take(size_t count) {
    taken += count;
    return word >> (-taken & 63) & ((uint64_t{1} << count) - 1);
  }
};

/// What zstd's tables say of a code: 16 bits of state to come, 8 each of how many bits follow for
/// the value and for the state, and 32 of the least value.
struct Entry {
  const uint64_t packed;

  DWCP_INLINE size_t next_state() const { return packed & 0xFFFF; }
  DWCP_INLINE size_t value_bits() const { return packed >> 16 & 0xFF; }
  DWCP_INLINE size_t state_bits() const { return packed >> 24 & 0xFF; }
  DWCP_INLINE size_t least() const { return packed >> 32; }
};
static_assert(std::endian::native == std::endian::little && sizeof(ZSTD_seqSymbol) == 8 &&
              offsetof(ZSTD_seqSymbol, nbAdditionalBits) == 2 &&
              offsetof(ZSTD_seqSymbol, nbBits) == 3 && offsetof(ZSTD_seqSymbol, baseValue) == 4);

/// One of the three kinds of code of a sequence, by zstd's table of it.
struct Codes {
  explicit Codes(const ZSTD_seqSymbol* table)
      : entries(table + 1), log(reinterpret_cast<const ZSTD_seqSymbol_header*>(table)->tableLog) {}

  const ZSTD_seqSymbol* const entries;
  const size_t log;
  size_t state = 0;

  DWCP_INLINE Entry entry() const { return std::bit_cast<Entry>(entries[state]); }
};

/// The last three offsets (RFC 8878, section 3.1.1.5).
struct Offsets {
  size_t first, second, third;

  DWCP_INLINE size_t fresh(size_t offset) {
    third = second;
    second = first;
    return first = offset;
  }
  /// `index` is 0 to 3, the last of which is one less than the first. 0 when there is no such.
  DWCP_INLINE size_t repeated(size_t index) {
    if (index == 0) return first;
    const size_t offset = index == 1 ? second : index == 2 ? third : first - 1;
    if (index != 1) third = second;
    second = first;
    return first = offset;
  }
};

/// Copies to `at` from `distance` before it, also what this copy itself writes.
void repeat(uint8_t* at, size_t distance, size_t length) {
  size_t multiple = distance;  // as far as a step reaches, and a repeat as well
  while (multiple < kStep) multiple += distance;
  const size_t single = std::min(multiple - distance, length);
  for (size_t i = 0; i < single; ++i) at[i] = *(at + i - distance);
  for (size_t i = single; i < length; i += kStep) copy_step(at + i, at + i - multiple);
}

/// A record that is being written.
struct Output {
  uint8_t* const begin;
  uint8_t* const end;
  const uint8_t* const dictionary_end;
  const size_t dictionary_size;
  const uint8_t* const literals_end;
  const uint8_t* literal;
  uint8_t* at;

  /// Carries out one sequence; false when it leaves record, literals or dictionary.
  DWCP_INLINE bool put(size_t literals, size_t length, size_t offset) {
    if (literals > static_cast<size_t>(literals_end - literal)) return false;
    if (literals + length > static_cast<size_t>(end - at)) return false;
    for (size_t i = 0; i == 0 || i < literals; i += kStep) copy_step(at + i, literal + i);
    literal += literals;
    at += literals;
    const auto made = static_cast<size_t>(at - begin);
    const bool own = offset - 1 < made;
    const size_t shared = offset - made;
    if (!own && shared - 1 >= dictionary_size) return false;
    const size_t apart = own ? offset : shared;
    if (length > apart && (!own || offset < kStep)) {
      const size_t before = own ? 0 : shared;  // of the dictionary; then comes the record's front
      if (!own) std::memcpy(at, dictionary_end - before, before);
      repeat(at + before, offset, length - before);
      at += length;
      return true;
    }
    const auto origin = reinterpret_cast<uintptr_t>(own ? at : dictionary_end);
    const auto* source = reinterpret_cast<const uint8_t*>(origin - apart);
    copy_step(at, source);
    copy_step(at + kStep, source + kStep);
    for (size_t i = kStride; i < length; i += kStep) copy_step(at + i, source + i);
    at += length;
    return true;
  }

  /// Copies the literals behind the last sequence; true when the record is whole.
  bool finish() {
    const auto rest = static_cast<size_t>(literals_end - literal);
    if (rest != static_cast<size_t>(end - at)) return false;
    std::memcpy(at, literal, rest);
    return true;
  }
};

/// Carries out `count` sequences and finishes. All is passed by value, as what is in memory could
/// be what is written.
DWCP_INLINE bool run(Bits bits, Codes literals, Codes offsets, Codes matches, Offsets recent,
                     size_t count, Output output) {
  constexpr size_t kStates = LLFSELog + OffFSELog + MLFSELog;
  if (!bits.load()) return false;
  literals.state = bits.take(literals.log);
  offsets.state = bits.take(offsets.log);
  matches.state = bits.take(matches.log);
  for (;;) {
    if (!bits.load()) return false;
    const Entry literal = literals.entry();
    const Entry match = matches.entry();
    const Entry far = offsets.entry();
    const size_t extra = literal.value_bits() + match.value_bits() + far.value_bits();
    const bool wide = extra > Bits::kLoaded - kStates;  // seldom
    size_t offset = far.least() + bits.take(far.value_bits());
    if (far.value_bits() > 1) {
      recent.fresh(offset);
    } else {
      offset = recent.repeated(offset + (literal.least() == 0 ? 1 : 0));
    }
    if (wide && !bits.load()) return false;
    const size_t length = match.least() + bits.take(match.value_bits());
    const size_t fresh = literal.least() + bits.take(literal.value_bits());
    if (!output.put(fresh, length, offset)) return false;
    if (--count == 0) return bits.left() == 0 && output.finish();
    if (wide && !bits.load()) return false;
    literals.state = literal.next_state() + bits.take(literal.state_bits());
    matches.state = match.next_state() + bits.take(match.state_bits());
    offsets.state = far.next_state() + bits.take(far.state_bits());
  }
}

/// What `run` is given.
struct Sequences {
  const ZSTD_DCtx& context;
  std::span<const uint8_t> stream;
  size_t count;

  DWCP_INLINE bool put(const Output& output) const {
    const U32* repeats = context.entropy.rep;
    return run(Bits(stream), Codes(context.LLTptr), Codes(context.OFTptr), Codes(context.MLTptr),
               {repeats[0], repeats[1], repeats[2]}, count, output);
  }
};

bool put_anywhere(const Sequences& sequences, const Output& output) {
  return sequences.put(output);
}

#if DYNAMIC_BMI2
BMI2_TARGET_ATTRIBUTE bool put_bmi2(const Sequences& sequences, const Output& output) {
  return sequences.put(output);
}
#else
constexpr auto put_bmi2 = put_anywhere;
#endif

}  // namespace

bool RecordBlockReader::reserve(size_t content_size) {
  if (context_ == nullptr) context_ = ZSTD_createDCtx();
  if (context_ == nullptr) return false;
  if (content_size <= room_) return true;
  constexpr size_t kLeastRoom = 2048;
  const size_t room = std::bit_ceil(std::max(content_size, kLeastRoom));
  Block memory = Block::reserve(room + kStride);
  if (!memory.valid()) return false;
  content_ = std::move(memory);
  room_ = room;
  return true;
}

std::span<const uint8_t> RecordBlockReader::read(std::span<const uint8_t> block,
                                                 const ZSTD_DDict* dictionary,
                                                 size_t content_size) {
  const auto content = content_.bytes().first(content_size);
  if (block.size() > ZSTD_BLOCKSIZE_MAX) return {};
  if (ZSTD_isError(ZSTD_decompressBegin_usingDDict(context_, dictionary))) return {};
  const size_t literals = ZSTD_decodeLiteralsBlock_wrapper(context_, block.data(), block.size(),
                                                           content.data(), content.size());
  if (ZSTD_isError(literals) || context_->litBufferLocation != ZSTD_not_in_dst) return {};
  block = block.subspan(literals);
  int count = 0;
  const size_t head = ZSTD_decodeSeqHeaders(context_, &count, block.data(), block.size());
  if (ZSTD_isError(head)) return {};
  block = block.subspan(head);
  const auto* shared = static_cast<const uint8_t*>(
      dictionary != nullptr ? ZSTD_DDict_dictContent(dictionary) : nullptr);
  const size_t shared_size = dictionary != nullptr ? ZSTD_DDict_dictSize(dictionary) : 0;
  Output output{.begin = content.data(),
                .end = content.data() + content.size(),
                .dictionary_end = shared + shared_size,
                .dictionary_size = shared_size,
                .literals_end = context_->litPtr + context_->litSize,
                .literal = context_->litPtr,
                .at = content.data()};
  if (count == 0) return output.finish() ? content : std::span<uint8_t>{};
  if (block.empty() || block.back() == 0) return {};
  const Sequences sequences{*context_, block, static_cast<size_t>(count)};
  if (!(bmi2_ ? put_bmi2 : put_anywhere)(sequences, output)) return {};
  return content;
}

}  // namespace dwcp::codec
