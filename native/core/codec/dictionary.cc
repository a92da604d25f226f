// The digested forms refer to the dictionary's own copy of the bytes.
#include "core/codec/dictionary.h"

#include <algorithm>

#include "core/codec/dictionary_entropy.h"

namespace dwcp::codec {
namespace {

constexpr Status invalid(const char* message) { return {ErrorCode::DICTIONARY_INVALID, message}; }

/// Dictionaries with less content than this, or of more bytes, are left to zstd: there is little to
/// gain, or the index would outgrow the cache.
constexpr size_t kLeastIndexed = 256;
constexpr size_t kMostIndexed = size_t{256} << 10;

/// True where zstd would look for records' bytes in two tables, of long and of short strings.
bool double_hash(int level, size_t size) {
  return ZSTD_getCParams(level, 0, size).strategy == ZSTD_dfast;
}

}  // namespace

Dictionary::~Dictionary() {
  ZSTD_freeDDict(decoder_);
  for (auto& encoder : encoders_) ZSTD_freeCDict(encoder.load());
}

Status Dictionary::make(std::span<const uint8_t> bytes, uint32_t id, Shared<Dictionary>& out) {
  if (bytes.size() < kMinDictionaryBytes) return invalid("A dictionary has at least 8 bytes.");
  if (bytes.size() > kMaxDictionaryBytes) return invalid("A dictionary has at most 16 MiB.");
  if (id == 0) return invalid("A dictionary's id is not 0.");
  if (!describes_all_lengths(bytes)) return invalid("The trained dictionary is damaged.");
  auto made = Shared<Dictionary>::make();
  made->memory_ = Block::reserve(bytes.size() + 2 * kDictionaryMargin);
  if (!made->memory_.valid()) return {ErrorCode::LIMIT, "Out of memory for a dictionary."};
  const auto memory = made->memory_.bytes();
  std::fill_n(memory.begin(), kDictionaryMargin, uint8_t{0});
  const auto end = std::copy(bytes.begin(), bytes.end(), memory.begin() + kDictionaryMargin);
  std::fill(end, memory.end(), uint8_t{0});
  made->id_ = id;
  made->decoder_ = ZSTD_createDDict_byReference(made->bytes().data(), bytes.size());
  if (made->decoder_ == nullptr) return invalid("The trained dictionary is damaged.");
  // Made now, because writing asks more of the entropy tables than reading does.
  made->index_ = RecordIndex::make(made->bytes());
  if (made->index_ == nullptr) return invalid("The trained dictionary is damaged.");
  if (made->index_->content().size() >= kLeastIndexed && bytes.size() <= kMostIndexed) {
    for (int level = kMinLevel; level <= kMaxLevel; ++level) {
      made->indexed_[static_cast<size_t>(level - kMinLevel)] = double_hash(level, bytes.size());
    }
  }
  made->size_ = memory.size() + ZSTD_sizeof_DDict(made->decoder_) + made->index_->size_bytes();
  out = std::move(made);
  return {};
}

std::span<const uint8_t> Dictionary::bytes() const {
  const auto memory = memory_.bytes();
  return memory.subspan(kDictionaryMargin, memory.size() - 2 * kDictionaryMargin);
}

const ZSTD_CDict* Dictionary::encoder(int level) const {
  auto& slot = encoders_.at(static_cast<size_t>(level - kMinLevel));
  if (const auto* found = slot.load(std::memory_order_acquire)) return found;
  const std::lock_guard lock(mutex_);
  if (const auto* found = slot.load(std::memory_order_relaxed)) return found;
  ZSTD_CDict* made = ZSTD_createCDict_byReference(bytes().data(), bytes().size(), level);
  if (made == nullptr) return nullptr;
  size_.fetch_add(ZSTD_sizeof_CDict(made), std::memory_order_relaxed);
  slot.store(made, std::memory_order_release);
  return made;
}

}  // namespace dwcp::codec
