// See block_match.h.
#include "core/delta/block_match.h"

#include <array>
#include <bit>

#include "core/codec/block.h"
#include "core/delta/base_index.h"
#include "core/delta/little_endian.h"
#include "core/simd/crc32c.h"

namespace dwcp::delta {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for matching blocks."};
/// Slots looked at for one hash: bounds what forged hashes cost.
constexpr size_t kMaxProbes = 16;
/// Bytes checked in vain, over the content's: bounds that too.
constexpr size_t kMaxWasteFactor = 4;

/// Whole blocks by rolling hash: open addressing behind a bit filter. Of equal blocks the first is
/// kept.
class BlockTable {
 public:
  Status build(const RemoteBase& base) {
    const size_t blocks = base.size / base.block_size;
    const auto bits = static_cast<unsigned>(std::bit_width(blocks | 63) + 1);
    slot_shift_ = 32 - bits;
    filter_shift_ = slot_shift_ < 3 ? 0 : slot_shift_ - 3;
    slots_ = codec::Block::zeroed((size_t{1} << bits) * sizeof(uint32_t));
    filter_ = codec::Block::zeroed(size_t{1} << (32 - filter_shift_ - 3));
    if (!slots_.valid() || !filter_.valid()) return kNoMemory;
    hashes_ = base.hashes.data();
    for (uint32_t block = 0; block < blocks; ++block) insert(block);
    return {};
  }

  /// False when no block has this hash.
  bool may_contain(uint32_t hash) const {
    const uint32_t bit = mix(hash) >> filter_shift_;
    return (filter_.bytes()[bit >> 3] >> (bit & 7) & 1) != 0;
  }

  /// Calls `is_match` with each block of this hash until it says true.
  template <typename IsMatch>
  bool find(uint32_t hash, IsMatch is_match) const {
    const uint32_t first = mix(hash) >> slot_shift_;
    for (uint32_t probe = 0; probe < kMaxProbes; ++probe) {
      const uint32_t entry = slots()[(first + probe) & mask()];
      if (entry == 0) return false;
      if (rolling_of(entry - 1) == hash && is_match(entry - 1)) return true;
    }
    return false;
  }

  uint32_t rolling_of(size_t block) const { return read_u32(hashes_ + block * kBlockHashSize); }
  uint32_t check_of(size_t block) const { return read_u32(hashes_ + block * kBlockHashSize + 4); }

 private:
  static uint32_t mix(uint32_t hash) { return (hash ^ hash >> 15) * 0x9e3779b1; }
  uint32_t* slots() const { return reinterpret_cast<uint32_t*>(slots_.bytes().data()); }
  uint32_t mask() const { return UINT32_MAX >> slot_shift_; }

  void insert(uint32_t block) {
    const uint32_t hash = rolling_of(block);
    const uint32_t first = mix(hash) >> slot_shift_;
    for (uint32_t probe = 0; probe < kMaxProbes; ++probe) {
      uint32_t& entry = slots()[(first + probe) & mask()];
      if (entry == 0) {
        entry = block + 1;
        const uint32_t bit = mix(hash) >> filter_shift_;
        filter_.bytes()[bit >> 3] |= static_cast<uint8_t>(1 << (bit & 7));
        return;
      }
      if (rolling_of(entry - 1) == hash && check_of(entry - 1) == check_of(block)) return;
    }
  }

  const uint8_t* hashes_ = nullptr;
  codec::Block slots_;
  codec::Block filter_;
  unsigned slot_shift_ = 0;
  unsigned filter_shift_ = 0;
};

class BlockMatcher {
 public:
  BlockMatcher(const RemoteBase& base, const BlockTable& table, std::span<const uint8_t> content,
               codec::Column<Op>& ops)
      : base_(base),
        table_(table),
        content_(content),
        ops_(ops),
        blocks_(block_count(base.size, base.block_size)),
        waste_(kMaxWasteFactor * content.size()) {
    // Leaves the first word's share of the hash when the window moves on by one word.
    for (size_t i = 0; i < base.block_size / 4; ++i) leaving_ *= kRollingFactor;
  }

  void run() {
    follow();
    while (seek()) follow();
    match_tail();
  }

 private:
  size_t size_of(size_t block) const {
    const size_t at = block * base_.block_size;
    return std::min(base_.block_size, base_.size - at);
  }

  bool is_at(size_t block, size_t at, size_t size) {
    if (simd::crc32c(content_.subspan(at, size)) == table_.check_of(block)) return true;
    waste_ -= std::min(waste_, size);
    return false;
  }

  /// Takes block after block while they are what comes next.
  void follow() {
    while (next_ < blocks_) {
      const size_t size = size_of(next_);
      if (size > content_.size() - covered_) return;
      const auto here = content_.subspan(covered_, size);
      if (rolling_hash(here) != table_.rolling_of(next_) || !is_at(next_, covered_, size)) return;
      take(next_, covered_, size);
    }
  }

  void take(size_t block, size_t at, size_t size) {
    const size_t from = block * base_.block_size;
    if (at == covered_ && !ops_.empty() && from == base_end_) {
      ops_[ops_.size() - 1].copy += static_cast<uint32_t>(size);
    } else {
      ops_.push({static_cast<uint32_t>(at - covered_), static_cast<uint32_t>(size),
                 static_cast<uint32_t>(from)});
    }
    base_end_ = from + size;
    covered_ = at + size;
    next_ = block + 1;
  }

  bool look_up(uint32_t hash, size_t at) {
    return table_.may_contain(hash) && table_.find(hash, [&](size_t block) {
      if (waste_ == 0 || !is_at(block, at, base_.block_size)) return false;
      take(block, at, base_.block_size);
      return true;
    });
  }

  /// Rolls on to the next block that is known; false when there is none. Four windows, a byte
  /// apart, each move on by a word.
  bool seek() {
    const size_t size = base_.block_size;
    const uint8_t* bytes = content_.data();
    if (base_.size < size) return false;
    std::array<uint32_t, 4> hashes{};
    size_t at = covered_;
    if (content_.size() - at < size + 3) {
      for (; content_.size() - at >= size; ++at) {
        if (look_up(rolling_hash(content_.subspan(at, size)), at)) return true;
      }
      return false;
    }
    for (size_t i = 0; i < 4; ++i) hashes[i] = rolling_hash(content_.subspan(at + i, size));
    for (;; at += 4) {
      for (size_t i = 0; i < 4; ++i) {
        const size_t here = at + i;
        if (here + size > content_.size()) return false;
        if (look_up(hashes[i], here)) return true;
        if (here + size + 4 > content_.size()) continue;
        hashes[i] = hashes[i] * kRollingFactor + read_u32(bytes + here + size) -
                    read_u32(bytes + here) * leaving_;
      }
    }
  }

  /// The short last block is looked for at the end only.
  void match_tail() {
    const size_t size = base_.size % base_.block_size;
    if (size == 0 || content_.size() - covered_ < size) return;
    const size_t at = content_.size() - size;
    const size_t block = blocks_ - 1;
    if (rolling_hash(content_.subspan(at)) == table_.rolling_of(block) && is_at(block, at, size)) {
      take(block, at, size);
    }
  }

  const RemoteBase& base_;
  const BlockTable& table_;
  std::span<const uint8_t> content_;
  codec::Column<Op>& ops_;
  size_t blocks_;
  uint32_t leaving_ = 1;
  /// Bytes that may still be checked in vain.
  size_t waste_;
  size_t covered_ = 0;
  /// The block behind the last one taken, and where that one ended in the base.
  size_t next_ = 0;
  size_t base_end_ = 0;
};

}  // namespace

Status match_blocks(const RemoteBase& base, std::span<const uint8_t> content,
                    codec::Column<Op>& ops) {
  const size_t size = base.block_size;
  if (!std::has_single_bit(size) || size < kMinBlockSize || size > kMaxBlockSize) {
    return {ErrorCode::INVALID_ARG, "The block size must be a power of two from 64 to 65536."};
  }
  if (base.size > kMaxSize || content.size() > kMaxSize) {
    return {ErrorCode::LIMIT, "The value is too large for a delta."};
  }
  if (base.hashes.size() != block_count(base.size, size) * kBlockHashSize) {
    return {ErrorCode::INVALID_ARG, "There must be hashes for each block of the base."};
  }
  BlockTable table;
  const Status status = table.build(base);
  if (!status.ok()) return status;
  BlockMatcher(base, table, content, ops).run();
  return ops.failed() ? kNoMemory : Status{};
}

}  // namespace dwcp::delta
