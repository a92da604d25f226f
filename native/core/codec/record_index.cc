// Every position is entered, later ones over earlier ones: trainers put what is most useful last.
#include "core/codec/record_index.h"

#include <algorithm>
#include <bit>
#include <new>

#include "core/simd/match.h"

namespace dwcp::codec {
namespace {

/// A slot for two bytes of dictionary finds nearly all and stays in the cache; half as many for
/// short strings, which are soon found elsewhere.
constexpr unsigned kLeastLog = 10;
constexpr unsigned kMostLog = 17;

unsigned long_log(size_t content_size) {
  const auto log = static_cast<unsigned>(std::bit_width(content_size - 1)) - 1;
  return std::clamp(log, kLeastLog, kMostLog);
}

/// Strings of four bytes are worth finding where there is little to find; elsewhere they hide
/// better ones.
unsigned shift_for(size_t content_size) {
  constexpr size_t kSmall = size_t{8} << 10;
  return content_size <= kSmall ? 32 : 24;
}

struct Workspace {
  alignas(8) std::array<uint8_t, HUF_WORKSPACE_SIZE> bytes;
};

}  // namespace

std::unique_ptr<RecordIndex> RecordIndex::make(std::span<const uint8_t> dictionary) {
  std::unique_ptr<RecordIndex> made(new (std::nothrow) RecordIndex);
  if (made == nullptr || !made->load(dictionary) || !made->enter_positions()) return nullptr;
  return made;
}

bool RecordIndex::load(std::span<const uint8_t> dictionary) {
  ZSTD_reset_compressedBlockState(&state_);
  content_ = dictionary;
  if (dictionary.size() < 8 || MEM_readLE32(dictionary.data()) != ZSTD_MAGIC_DICTIONARY)
    return true;
  const std::unique_ptr<Workspace> workspace(new (std::nothrow) Workspace);
  if (workspace == nullptr) return false;
  const size_t head =
      ZSTD_loadCEntropy(&state_, workspace->bytes.data(), dictionary.data(), dictionary.size());
  if (ZSTD_isError(head)) return false;
  content_ = dictionary.subspan(head);
  return true;
}

bool RecordIndex::enter_positions() {
  const unsigned log = long_log(std::max<size_t>(content_.size(), 2));
  const size_t longs = size_t{1} << log;
  slots_ = Block::zeroed(sizeof(uint32_t) * (longs + longs / 2));
  if (!slots_.valid()) return false;
  auto* const slots = reinterpret_cast<uint32_t*>(slots_.bytes().data());
  longs_ = {slots, log};
  shorts_ = {slots + longs, log - 1};
  short_prime_ = kShortPrime << shift_for(content_.size());
  for (size_t at = 0; at + sizeof(uint64_t) <= content_.size(); ++at) {
    const uint64_t word = simd::load64(&content_[at]);
    longs_.put(hash_long(word), at);
    shorts_.put(hash_short(word, short_prime_), at);
  }
  return true;
}

}  // namespace dwcp::codec
