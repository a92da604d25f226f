// Follows ZDICT_analyzeEntropy of zstd's dictBuilder: parse every record against the raw content,
// count codes, normalise, describe. zstd's internal headers are of the very sources compiled in.
#include "core/codec/dictionary_entropy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "core/codec/block.h"
#include "core/codec/zstd_internal.h"
#include "core/simd/xxh3.h"

namespace dwcp::codec {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for training a dictionary."};
constexpr Status kRefused{ErrorCode::CODEC, "zstd could not describe the samples."};

constexpr int kLiterals = 256;
constexpr int kMaxOffsetCode = 30;
constexpr int kMaxHuffmanBits = 11;
/// Ids below and above are reserved (RFC 8878 section 5).
constexpr uint32_t kFirstFreeId = 32768;
constexpr uint32_t kFreeIds = (uint32_t{1} << 31) - kFirstFreeId;

struct FreeCDict {
  void operator()(ZSTD_CDict* dictionary) const { ZSTD_freeCDict(dictionary); }
};

/// How often each code occurs. Every code starts at one, so that the tables can say all of them.
struct Counts {
  std::array<unsigned, kLiterals> literal;
  std::array<unsigned, kMaxOffsetCode + 1> offset{};
  std::array<unsigned, MaxML + 1> match;
  std::array<unsigned, MaxLL + 1> literal_length;

  explicit Counts(size_t content_size) {
    literal.fill(1);
    match.fill(1);
    literal_length.fill(1);
    std::fill_n(offset.begin(), max_offset_code(content_size) + 1, 1);
  }

  /// The largest that the first block behind the content can use.
  static unsigned max_offset_code(size_t content_size) {
    return ZSTD_highbit32(static_cast<U32>(content_size + ZSTD_BLOCKSIZE_MAX));
  }

  void add(const SeqStore_t& store) {
    for (const BYTE* at = store.litStart; at < store.lit; ++at) ++literal[*at];
    const auto sequences = static_cast<size_t>(store.sequences - store.sequencesStart);
    for (size_t i = 0; i < sequences; ++i) {
      ++offset[std::min<unsigned>(store.ofCode[i], kMaxOffsetCode)];
      ++match[store.mlCode[i]];
      ++literal_length[store.llCode[i]];
    }
  }
};

Status count_codes(ContextPool& pool, const Samples& samples, std::span<const uint8_t> content,
                   int level, Counts& counts) {
  const size_t average = samples.bytes.size() / std::max<size_t>(1, samples.lengths.size());
  const ZSTD_parameters parameters = ZSTD_getParams(level, average, content.size());
  const std::unique_ptr<ZSTD_CDict, FreeCDict> dictionary(
      ZSTD_createCDict_advanced(content.data(), content.size(), ZSTD_dlm_byRef, ZSTD_dct_rawContent,
                                parameters.cParams, ZSTD_defaultCMem));
  const auto context = pool.compress.lease();
  const Block block = Block::reserve(ZSTD_BLOCKSIZE_MAX);
  if (dictionary == nullptr || context.get() == nullptr || !block.valid()) return kNoMemory;
  Status status;
  samples.for_each([&](size_t, std::span<const uint8_t> record) {
    if (!status.ok()) return;
    size_t size = ZSTD_compressBegin_usingCDict_deprecated(context.get(), dictionary.get());
    if (!ZSTD_isError(size)) {
      size = ZSTD_compressBlock_deprecated(
          context.get(), block.bytes().data(), block.bytes().size(), record.data(),
          std::min(record.size(), ZSTD_getBlockSize(context.get())));
    }
    if (ZSTD_isError(size)) {
      status = kRefused;
    } else if (size > 0) {  // 0: not compressible, nothing to learn
      const SeqStore_t* store = ZSTD_getSeqStore(context.get());
      ZSTD_seqToCodes(store);
      counts.add(*store);
    }
  });
  return status;
}

/// Appends to `head`; the size stays an error once there was one.
class Writer {
 public:
  explicit Writer(std::span<uint8_t> head) : head_(head) {}

  void number(uint32_t value) {
    if (bytes_left() < sizeof value) {
      failed_ = true;
      return;
    }
    for (int i = 0; i < 4; ++i) head_[size_++] = static_cast<uint8_t>(value >> (8 * i));
  }

  void huffman(std::array<unsigned, kLiterals>& counts);
  void fse(std::span<const unsigned> counts, unsigned max_symbol, unsigned log);

  bool failed() const { return failed_; }
  size_t size() const { return size_; }

 private:
  size_t bytes_left() const { return head_.size() - size_; }
  void take(size_t written) {
    if (failed_ || ZSTD_isError(written)) {
      failed_ = true;
    } else {
      size_ += written;
    }
  }

  std::span<uint8_t> head_;
  size_t size_ = 0;
  bool failed_ = false;
};

/// Nearly flat, but no table of eight bits throughout: that one cannot be written.
void flatten(std::array<unsigned, kLiterals>& counts) {
  counts.fill(2);
  counts[0] = 4;
  counts[253] = counts[254] = 1;
}

void Writer::huffman(std::array<unsigned, kLiterals>& counts) {
  HUF_CREATE_STATIC_CTABLE(table, HUF_SYMBOLVALUE_MAX);
  std::array<unsigned, HUF_WORKSPACE_SIZE / sizeof(unsigned)> work;
  size_t bits = HUF_buildCTable_wksp(table, counts.data(), kLiterals - 1, kMaxHuffmanBits,
                                     work.data(), sizeof work);
  if (bits == 8) {
    flatten(counts);
    bits = HUF_buildCTable_wksp(table, counts.data(), kLiterals - 1, kMaxHuffmanBits, work.data(),
                                sizeof work);
  }
  if (ZSTD_isError(bits)) {
    failed_ = true;
    return;
  }
  take(HUF_writeCTable_wksp(head_.data() + size_, bytes_left(), table, kLiterals - 1,
                            static_cast<unsigned>(bits), work.data(), sizeof work));
}

void Writer::fse(std::span<const unsigned> counts, unsigned max_symbol, unsigned log) {
  std::array<short, 64> shares{};
  size_t total = 0;
  for (const unsigned count : counts.first(max_symbol + 1)) total += count;
  const size_t used = FSE_normalizeCount(shares.data(), log, counts.data(), total, max_symbol, 1);
  if (ZSTD_isError(used)) {
    failed_ = true;
    return;
  }
  take(FSE_writeNCount(head_.data() + size_, bytes_left(), shares.data(), max_symbol,
                       static_cast<unsigned>(used)));
}

/// The largest code an FSE table describes, from the head of the table (FSE_buildCTable).
unsigned max_code(const FSE_CTable* table) {
  std::array<uint16_t, 2> head;  // the log of its size, the code
  std::memcpy(head.data(), table, sizeof head);
  return head[1];
}

uint32_t id_of(std::span<const uint8_t> content) {
  const auto digest = simd::xxh3_128(content);
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | digest[i];
  return value % kFreeIds + kFirstFreeId;
}

}  // namespace

Status write_dictionary_head(ContextPool& pool, const Samples& samples,
                             std::span<const uint8_t> content, int level, std::span<uint8_t> head,
                             size_t& written) {
  Counts counts(content.size());
  if (const Status status = count_codes(pool, samples, content, level, counts); !status.ok()) {
    return status;
  }
  Writer writer(head);
  writer.number(ZSTD_MAGIC_DICTIONARY);
  writer.number(id_of(content));
  writer.huffman(counts.literal);
  writer.fse(counts.offset, Counts::max_offset_code(content.size()), OffFSELog);
  writer.fse(counts.match, MaxML, MLFSELog);
  writer.fse(counts.literal_length, MaxLL, LLFSELog);
  for (const U32 offset : repStartValue) writer.number(offset);
  if (writer.failed()) return kRefused;
  written = writer.size();
  return {};
}

bool describes_all_lengths(std::span<const uint8_t> dictionary) {
  constexpr std::array<uint8_t, 4> kMagic{0x37, 0xa4, 0x30, 0xec};
  const bool trained = dictionary.size() >= 2 * kMagic.size() &&
                       std::equal(kMagic.begin(), kMagic.end(), dictionary.begin());
  if (!trained) return true;
  const auto state = std::make_unique<ZSTD_compressedBlockState_t>();
  const auto work = std::make_unique<std::array<U32, HUF_WORKSPACE_SIZE / sizeof(U32)>>();
  ZSTD_reset_compressedBlockState(state.get());
  const size_t size =
      ZSTD_loadCEntropy(state.get(), work->data(), dictionary.data(), dictionary.size());
  const auto& tables = state->entropy.fse;
  return !ZSTD_isError(size) && max_code(tables.matchlengthCTable) == MaxML &&
         max_code(tables.litlengthCTable) == MaxLL;
}

}  // namespace dwcp::codec
