// Follows ZSTD_entropyCompressSeqStore of zstd_compress.c for the first and only block of a frame.
#include "core/codec/record_block.h"

#include <algorithm>

namespace dwcp::codec {
namespace {

constexpr ZSTD_strategy kStrategy = ZSTD_dfast;
/// From here on zstd measures before it takes the tables of a dictionary.
constexpr size_t kManySequences = 1000;
constexpr size_t kManyLiterals = 1024;
/// zstd codes no fewer with a table it has.
constexpr size_t kFewLiterals = 6;
constexpr size_t kSmallLiteralsHeader = 3;
/// As zstd: this many literals to a sequence do not look compressible.
constexpr size_t kSuspectRatio = 20;

constexpr uint8_t types_byte(SymbolEncodingType_e literals, SymbolEncodingType_e offsets,
                             SymbolEncodingType_e lengths) {
  return static_cast<uint8_t>(literals << 6 | offsets << 4 | lengths << 2);
}

/// Whether a dictionary's table is taken without a look at the codes.
bool is_used_unseen(FSE_repeat mode, size_t sequences) {
  return mode == FSE_repeat_valid && sequences < kManySequences;
}

}  // namespace

/// What zstd's coders work with.
struct RecordBlockWriter::Tables {
  ZSTD_hufCTables_t literals;
  ZSTD_fseCTables_t sequences;
  std::array<unsigned, MaxSeq + 1> counts;
  alignas(8) std::array<uint8_t, HUF_WORKSPACE_SIZE> workspace;
};

struct RecordBlockWriter::Kind {
  const BYTE* codes;
  unsigned max;  // largest code there is
  unsigned log;  // largest table
  const S16* usual;
  U32 usual_log;
  unsigned usual_max;
  const FSE_CTable* before;
  size_t table_size;
  FSE_repeat repeat;
  FSE_CTable* made;
  SymbolEncodingType_e type = set_repeat;
  const FSE_CTable* table = nullptr;
};

bool RecordBlockWriter::reserve(size_t max_sequences) {
  if (max_sequences <= room_) return true;
  Block memory = Block::reserve(sizeof(Tables) + 3 * max_sequences);
  if (!memory.valid()) return false;
  memory_ = std::move(memory);
  room_ = max_sequences;
  tables_ = reinterpret_cast<Tables*>(memory_.bytes().data());
  codes_ = memory_.bytes().data() + sizeof(Tables);
  return true;
}

size_t RecordBlockWriter::write(const RecordParse& parse, size_t content_size,
                                const ZSTD_entropyCTables_t& before, std::span<uint8_t> target) {
  const size_t literals =
      write_literals(parse.literals, parse.sequences.size(), before.huf, target);
  if (literals == 0) return 0;
  const size_t sequences = write_sequences(parse.sequences, before.fse, target.subspan(literals));
  if (sequences == 0) return 0;
  const size_t size = literals + sequences;
  return size + ZSTD_minGain(content_size, kStrategy) < content_size ? size : 0;
}

size_t RecordBlockWriter::write_literals(std::span<const uint8_t> literals, size_t sequences,
                                         const ZSTD_hufCTables_t& before,
                                         std::span<uint8_t> target) {
  const size_t size = literals.size();
  if (target.size() <= kSmallLiteralsHeader) return 0;
  if (before.repeatMode == HUF_repeat_valid && size < kManyLiterals) {
    uint8_t* const at = target.data();
    size_t coded = 0;
    if (size >= kFewLiterals) {
      coded = HUF_compress1X_usingCTable(at + kSmallLiteralsHeader,
                                         target.size() - kSmallLiteralsHeader, literals.data(),
                                         size, before.CTable, bmi2_ ? HUF_flags_bmi2 : 0);
    }
    if (coded <= 1 || ZSTD_isError(coded) || coded + ZSTD_minGain(size, kStrategy) >= size) {
      const size_t stored = ZSTD_noCompressLiterals(at, target.size(), literals.data(), size);
      return ZSTD_isError(stored) ? 0 : stored;
    }
    const auto header = static_cast<U32>(set_repeat | size << 4 | coded << 14);
    MEM_writeLE24(at, header);
    return kSmallLiteralsHeader + coded;
  }
  const bool suspect = sequences == 0 || size / sequences >= kSuspectRatio;
  const size_t written = ZSTD_compressLiterals(
      target.data(), target.size(), literals.data(), size, tables_->workspace.data(),
      tables_->workspace.size(), &before, &tables_->literals, kStrategy, 0, suspect, bmi2_);
  return ZSTD_isError(written) ? 0 : written;
}

/// Decides how the codes of `kind` are written, and writes their table. False when there is no
/// room.
bool RecordBlockWriter::choose(Kind& kind, size_t sequences, std::span<uint8_t> target,
                               size_t& written) {
  written = 0;
  kind.table = kind.before;
  if (is_used_unseen(kind.repeat, sequences)) return true;
  auto& counts = tables_->counts;
  auto& workspace = tables_->workspace;
  unsigned max = kind.max;
  const size_t most = HIST_countFast_wksp(counts.data(), &max, kind.codes, sequences,
                                          workspace.data(), workspace.size());
  const auto usual = max <= kind.usual_max ? ZSTD_defaultAllowed : ZSTD_defaultDisallowed;
  kind.type = ZSTD_selectEncodingType(&kind.repeat, counts.data(), max, most, sequences, kind.log,
                                      kind.before, kind.usual, kind.usual_log, usual, kStrategy);
  if (kind.type == set_repeat) return true;
  kind.table = kind.made;
  written =
      ZSTD_buildCTable(target.data(), target.size(), kind.made, kind.log, kind.type, counts.data(),
                       max, kind.codes, sequences, kind.usual, kind.usual_log, kind.usual_max,
                       kind.before, kind.table_size, workspace.data(), workspace.size());
  return !ZSTD_isError(written);
}

/// Lists the codes for those who count them.
void RecordBlockWriter::list_codes(std::span<const SeqDef> sequences) {
  BYTE* literal = codes_;
  BYTE* offset = codes_ + room_;
  BYTE* length = codes_ + 2 * room_;
  for (const SeqDef& sequence : sequences) {
    *literal++ = static_cast<BYTE>(ZSTD_LLcode(sequence.litLength));
    *offset++ = static_cast<BYTE>(ZSTD_highbit32(sequence.offBase));
    *length++ = static_cast<BYTE>(ZSTD_MLcode(sequence.mlBase));
  }
}

/// Chooses `tables` and writes what a reader needs to know of them. The bytes written, 0 when there
/// is no room; `last` is what the last new table takes of them.
size_t RecordBlockWriter::write_tables(std::span<const SeqDef> sequences,
                                       const ZSTD_fseCTables_t& before, std::span<uint8_t> target,
                                       SequenceTables& tables, size_t& last) {
  list_codes(sequences);
  auto& made = tables_->sequences;
  Kind literals{codes_,
                MaxLL,
                LLFSELog,
                LL_defaultNorm,
                LL_defaultNormLog,
                MaxLL,
                before.litlengthCTable,
                sizeof before.litlengthCTable,
                before.litlength_repeatMode,
                made.litlengthCTable};
  Kind offsets{codes_ + room_,
               MaxOff,
               OffFSELog,
               OF_defaultNorm,
               OF_defaultNormLog,
               DefaultMaxOff,
               before.offcodeCTable,
               sizeof before.offcodeCTable,
               before.offcode_repeatMode,
               made.offcodeCTable};
  Kind lengths{codes_ + 2 * room_,
               MaxML,
               MLFSELog,
               ML_defaultNorm,
               ML_defaultNormLog,
               MaxML,
               before.matchlengthCTable,
               sizeof before.matchlengthCTable,
               before.matchlength_repeatMode,
               made.matchlengthCTable};
  size_t size = 1;
  for (Kind* kind : {&literals, &offsets, &lengths}) {
    size_t written = 0;
    if (!choose(*kind, sequences.size(), target.subspan(size), written)) return 0;
    size += written;
    if (kind->type == set_compressed) last = written;
  }
  target[0] = types_byte(literals.type, offsets.type, lengths.type);
  tables = {literals.table, offsets.table, lengths.table};
  return size;
}

size_t RecordBlockWriter::write_sequences(std::span<const SeqDef> sequences,
                                          const ZSTD_fseCTables_t& before,
                                          std::span<uint8_t> target) {
  constexpr size_t kMostHeader = 4;
  constexpr size_t kOneByte = 128;
  const size_t count = sequences.size();
  if (target.size() < kMostHeader) return 0;
  size_t size = 0;
  if (count >= kOneByte) target[size++] = static_cast<uint8_t>((count >> 8) + kOneByte);
  target[size++] = static_cast<uint8_t>(count);
  if (count == 0) return size;

  SequenceTables tables{before.litlengthCTable, before.offcodeCTable, before.matchlengthCTable};
  size_t last_table = 0;
  if (is_used_unseen(before.litlength_repeatMode, count) &&
      is_used_unseen(before.offcode_repeatMode, count) &&
      is_used_unseen(before.matchlength_repeatMode, count)) {
    target[size++] = types_byte(set_repeat, set_repeat, set_repeat);
  } else {
    const size_t head = write_tables(sequences, before, target.subspan(size), tables, last_table);
    if (head == 0) return 0;
    size += head;
  }
  const size_t coded = codec::write_sequences(sequences, tables, target.subspan(size), bmi2_);
  if (coded == 0) return 0;
  // zstd up to 1.3.4 takes so little behind a table for damage.
  if (last_table != 0 && last_table + coded < 4) return 0;
  return size + coded;
}

}  // namespace dwcp::codec
