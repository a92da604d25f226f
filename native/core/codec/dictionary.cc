// The digested forms refer to the dictionary's own copy of the bytes.
#include "core/codec/dictionary.h"

#include <algorithm>

#include "core/codec/dictionary_entropy.h"

namespace dwcp::codec {
namespace {

constexpr Status invalid(const char* message) { return {ErrorCode::DICTIONARY_INVALID, message}; }

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
  made->bytes_ = Block::reserve(bytes.size());
  if (!made->bytes_.valid()) return {ErrorCode::LIMIT, "Out of memory for a dictionary."};
  std::copy(bytes.begin(), bytes.end(), made->bytes_.bytes().begin());
  made->id_ = id;
  made->decoder_ = ZSTD_createDDict_byReference(made->bytes_.bytes().data(), bytes.size());
  if (made->decoder_ == nullptr) return invalid("The trained dictionary is damaged.");
  made->size_ = bytes.size() + ZSTD_sizeof_DDict(made->decoder_);
  // Made now, because writing asks more of the entropy tables than reading does.
  if (made->encoder(kDefaultLevel) == nullptr) return invalid("The trained dictionary is damaged.");
  out = std::move(made);
  return {};
}

const ZSTD_CDict* Dictionary::encoder(int level) const {
  auto& slot = encoders_.at(static_cast<size_t>(level - kMinLevel));
  if (const auto* found = slot.load(std::memory_order_acquire)) return found;
  const std::lock_guard lock(mutex_);
  if (const auto* found = slot.load(std::memory_order_relaxed)) return found;
  const auto bytes = bytes_.bytes();
  ZSTD_CDict* made = ZSTD_createCDict_byReference(bytes.data(), bytes.size(), level);
  if (made == nullptr) return nullptr;
  size_.fetch_add(ZSTD_sizeof_CDict(made), std::memory_order_relaxed);
  slot.store(made, std::memory_order_release);
  return made;
}

}  // namespace dwcp::codec
