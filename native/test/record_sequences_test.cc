// The writer of sequences against zstd's own: the same bits, and the same answer for every target.
#include "core/codec/record_sequences.h"

#include <algorithm>
#include <array>

#include "test/check.h"

using Bytes = std::vector<uint8_t>;

namespace {

/// zstd's usual tables, which have every code but those of the largest offsets.
struct Tables {
  std::array<FSE_CTable, FSE_CTABLE_SIZE_U32(LLFSELog, MaxLL)> literals;
  std::array<FSE_CTable, FSE_CTABLE_SIZE_U32(OffFSELog, MaxOff)> offsets;
  std::array<FSE_CTable, FSE_CTABLE_SIZE_U32(MLFSELog, MaxML)> lengths;

  Tables() {
    std::array<unsigned, 1024> workspace;
    const auto build = [&](auto& table, const S16* norm, unsigned max, unsigned log) {
      CHECK(!FSE_isError(
          FSE_buildCTable_wksp(table.data(), norm, max, log, workspace.data(), sizeof workspace)));
    };
    build(literals, LL_defaultNorm, MaxLL, LL_defaultNormLog);
    build(offsets, OF_defaultNorm, DefaultMaxOff, OF_defaultNormLog);
    build(lengths, ML_defaultNorm, MaxML, ML_defaultNormLog);
  }
};

std::vector<SeqDef> sequences_of(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  const auto value = [&random](unsigned most_bits) {
    return random() >> (32 - most_bits + random() % most_bits);  // of any number of bits
  };
  std::vector<SeqDef> sequences(count);
  for (auto& sequence : sequences) {
    sequence = {static_cast<U32>(1 + value(24)), static_cast<U16>(value(16)),
                static_cast<U16>(value(16))};
  }
  return sequences;
}

/// What zstd writes; nothing where it does not fit.
Bytes write_by_zstd(std::vector<SeqDef> sequences, const Tables& tables, size_t room) {
  const size_t count = sequences.size();
  std::vector<BYTE> codes(3 * count);
  SeqStore_t store{};
  store.sequencesStart = sequences.data();
  store.sequences = sequences.data() + count;
  store.llCode = codes.data();
  store.ofCode = codes.data() + count;
  store.mlCode = codes.data() + 2 * count;
  store.maxNbSeq = count;
  ZSTD_seqToCodes(&store);
  Bytes target(room);
  const size_t size = ZSTD_encodeSequences(
      target.data(), room, tables.lengths.data(), store.mlCode, tables.offsets.data(), store.ofCode,
      tables.literals.data(), store.llCode, sequences.data(), count, 0, 0);
  target.resize(ZSTD_isError(size) ? 0 : size);
  return target;
}

Bytes write(const std::vector<SeqDef>& sequences, const Tables& tables, size_t room, bool bmi2) {
  Bytes target(room);
  const dwcp::codec::SequenceTables given{tables.literals.data(), tables.offsets.data(),
                                          tables.lengths.data()};
  target.resize(dwcp::codec::write_sequences(sequences, given, target, bmi2));
  return target;
}

/// With the instructions of any CPU, and with those of this one.
std::vector<bool> forms() {
  return ZSTD_cpuSupportsBmi2() != 0 ? std::vector{false, true} : std::vector{false};
}

}  // namespace

TEST(sequences_are_written_bit_by_bit_as_zstd_writes_them) {
  const Tables tables;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    const auto sequences = sequences_of(1 + seed % 90, seed);
    const size_t room = 16 * sequences.size() + 64;
    const Bytes expected = write_by_zstd(sequences, tables, room);
    CHECK(!expected.empty());
    for (const bool bmi2 : forms()) CHECK(write(sequences, tables, room, bmi2) == expected);
  }
}

TEST(what_does_not_fit_is_written_nowhere_else) {
  const Tables tables;
  for (const size_t count : {1, 3, 40}) {
    const auto sequences = sequences_of(count, 5);
    const size_t most = write_by_zstd(sequences, tables, 1000).size() + 12;
    for (size_t room = 0; room < most; ++room) {
      const Bytes expected = write_by_zstd(sequences, tables, room);
      for (const bool bmi2 : forms()) CHECK(write(sequences, tables, room, bmi2) == expected);
    }
  }
}
