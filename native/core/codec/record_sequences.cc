// Writes what ZSTD_encodeSequences of zstd_compress_sequences.c writes, from the last sequence to
// the first, but makes the codes on the way, so that the sequences are walked once.
#include "core/codec/record_sequences.h"

#include <algorithm>

#include "core/inline.h"

namespace dwcp::codec {
namespace {

/// Bits written from the lowest on.
struct Bits {
  static constexpr size_t kStore = sizeof(uint64_t);
  /// Of which so many may still wait after a flush.
  static constexpr unsigned kWaiting = 7;

  uint8_t* const begin;
  uint8_t* const last;  // place of the last store that fits
  uint8_t* at = begin;
  uint64_t word = 0;
  unsigned count = 0;

  /// Adds the lowest `bits` of `value`.
  DWCP_INLINE void add(uint64_t value, unsigned bits) {
    word |= (value & ((uint64_t{1} << bits) - 1)) << count;
    count += bits;
  }
  DWCP_INLINE void flush() {
    MEM_writeLE64(at, word);
    at = std::min(at + count / 8, last);
    word >>= count & ~kWaiting;
    count &= kWaiting;
  }
  /// Ends the stream. Its bytes, 0 when it did not fit.
  DWCP_INLINE size_t close() {
    add(1, 1);
    flush();
    if (at >= last) return 0;
    return static_cast<size_t>(at - begin) + (count > 0 ? 1 : 0);
  }
};

/// One of the three kinds of code, being written.
struct Codes {
  DWCP_INLINE Codes(const FSE_CTable* table, unsigned first) {
    FSE_CState_t start;
    FSE_initCState2(&start, table, first);
    state = static_cast<size_t>(start.value);
    states = static_cast<const U16*>(start.stateTable);
    symbols = static_cast<const FSE_symbolCompressionTransform*>(start.symbolTT);
    log = start.stateLog;
  }

  size_t state;
  const U16* states;
  const FSE_symbolCompressionTransform* symbols;
  unsigned log;

  DWCP_INLINE void add(Bits& bits, size_t code) {
    const FSE_symbolCompressionTransform symbol = symbols[code];
    const uint32_t size = (static_cast<uint32_t>(state) + symbol.deltaNbBits) >> 16;
    bits.add(state, size);
    state = states[static_cast<ptrdiff_t>(state >> size) + symbol.deltaFindState];
  }
};

/// The codes of a sequence, and how many bits of its values follow them.
struct Coded {
  DWCP_INLINE explicit Coded(const SeqDef& sequence)
      : literals(ZSTD_LLcode(sequence.litLength)),
        length(ZSTD_MLcode(sequence.mlBase)),
        offset(ZSTD_highbit32(sequence.offBase)) {}

  unsigned literals;
  unsigned length;
  unsigned offset;

  DWCP_INLINE void add_values(Bits& bits, const SeqDef& sequence) const {
    constexpr unsigned kStates = LLFSELog + OffFSELog + MLFSELog;
    constexpr unsigned kMost = 64 - Bits::kWaiting - kStates;
    const unsigned literal_bits = LL_bits[literals];
    const unsigned length_bits = ML_bits[length];
    if (literal_bits + length_bits + offset > kMost) bits.flush();  // seldom
    bits.add(sequence.litLength, literal_bits);
    bits.add(sequence.mlBase, length_bits);
    bits.add(sequence.offBase, offset);
    bits.flush();
  }
};

DWCP_INLINE size_t write(std::span<const SeqDef> sequences, const SequenceTables& tables,
                         std::span<uint8_t> target) {
  if (target.size() <= Bits::kStore) return 0;
  Bits bits{.begin = target.data(), .last = target.data() + target.size() - Bits::kStore};
  const SeqDef* const first = sequences.data();
  const SeqDef* sequence = first + sequences.size() - 1;
  Coded coded(*sequence);
  Codes literals(tables.literals, coded.literals);
  Codes offsets(tables.offsets, coded.offset);
  Codes lengths(tables.lengths, coded.length);
  coded.add_values(bits, *sequence);
  while (sequence-- != first) {
    coded = Coded(*sequence);
    offsets.add(bits, coded.offset);
    lengths.add(bits, coded.length);
    literals.add(bits, coded.literals);
    coded.add_values(bits, *sequence);
  }
  bits.add(lengths.state, lengths.log);
  bits.add(offsets.state, offsets.log);
  bits.add(literals.state, literals.log);
  bits.flush();
  return bits.close();
}

size_t write_anywhere(std::span<const SeqDef> sequences, const SequenceTables& tables,
                      std::span<uint8_t> target) {
  return write(sequences, tables, target);
}

#if DYNAMIC_BMI2
BMI2_TARGET_ATTRIBUTE size_t write_bmi2(std::span<const SeqDef> sequences,
                                        const SequenceTables& tables, std::span<uint8_t> target) {
  return write(sequences, tables, target);
}
#else
constexpr auto write_bmi2 = write_anywhere;
#endif

}  // namespace

size_t write_sequences(std::span<const SeqDef> sequences, const SequenceTables& tables,
                       std::span<uint8_t> target, bool bmi2) {
  return (bmi2 ? write_bmi2 : write_anywhere)(sequences, tables, target);
}

}  // namespace dwcp::codec
