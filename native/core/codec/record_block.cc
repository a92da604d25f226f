// Follows ZSTD_entropyCompressSeqStore of zstd_compress.c for the first and only block of a frame.
#include "core/codec/record_block.h"

#include <algorithm>
#include <cstring>

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
  if (kind.repeat == FSE_repeat_valid && sequences < kManySequences) return true;
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

size_t RecordBlockWriter::write_sequences(std::span<const SeqDef> sequences,
                                          const ZSTD_fseCTables_t& before,
                                          std::span<uint8_t> target) {
  constexpr size_t kMostHeader = 4;
  constexpr size_t kOneByte = 128;
  const size_t count = sequences.size();
  if (target.size() < kMostHeader) return 0;
  uint8_t* at = target.data();
  if (count >= kOneByte) *at++ = static_cast<uint8_t>((count >> 8) + kOneByte);
  *at++ = static_cast<uint8_t>(count);
  if (count == 0) return 1;

  auto* const first = const_cast<SeqDef*>(sequences.data());  // the coders' types are not const
  SeqStore_t store{};
  store.sequencesStart = first;
  store.sequences = first + count;
  store.llCode = codes_;
  store.ofCode = codes_ + room_;
  store.mlCode = codes_ + 2 * room_;
  store.maxNbSeq = room_;
  ZSTD_seqToCodes(&store);

  auto& made = tables_->sequences;
  Kind literals{store.llCode,
                MaxLL,
                LLFSELog,
                LL_defaultNorm,
                LL_defaultNormLog,
                MaxLL,
                before.litlengthCTable,
                sizeof before.litlengthCTable,
                before.litlength_repeatMode,
                made.litlengthCTable};
  Kind offsets{store.ofCode,
               MaxOff,
               OffFSELog,
               OF_defaultNorm,
               OF_defaultNormLog,
               DefaultMaxOff,
               before.offcodeCTable,
               sizeof before.offcodeCTable,
               before.offcode_repeatMode,
               made.offcodeCTable};
  Kind matches{store.mlCode,
               MaxML,
               MLFSELog,
               ML_defaultNorm,
               ML_defaultNormLog,
               MaxML,
               before.matchlengthCTable,
               sizeof before.matchlengthCTable,
               before.matchlength_repeatMode,
               made.matchlengthCTable};
  uint8_t* const types = at++;
  uint8_t* const end = target.data() + target.size();
  size_t described = 0;  // bytes of the last table, where it is a new one
  for (Kind* kind : {&literals, &offsets, &matches}) {
    size_t written = 0;
    if (!choose(*kind, count, {at, end}, written)) return 0;
    at += written;
    if (kind->type == set_compressed) described = written;
  }
  *types = static_cast<uint8_t>(literals.type << 6 | offsets.type << 4 | matches.type << 2);
  const size_t coded = ZSTD_encodeSequences(at, static_cast<size_t>(end - at), matches.table,
                                            store.mlCode, offsets.table, store.ofCode,
                                            literals.table, store.llCode, first, count, 0, bmi2_);
  if (ZSTD_isError(coded)) return 0;
  // zstd up to 1.3.4 takes so little behind a table for damage.
  if (described != 0 && described + coded < 4) return 0;
  return static_cast<size_t>(at - target.data()) + coded;
}

}  // namespace dwcp::codec
