// See base_index.h. Building is bound by cache misses on the buckets, so each is asked for some
// blocks before it is written.
#include "core/delta/base_index.h"

#include <algorithm>

namespace dwcp::delta {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;
/// Blocks between asking for a bucket and writing it.
constexpr size_t kAhead = 16;
/// Block numbers must fit beside the tag.
constexpr size_t kMaxBlocks = (size_t{1} << 24) - 2;
constexpr size_t kFilterBitsPerBlock = 8;

/// Small bases can afford to find short matches, large ones must be indexed in little memory.
size_t stride_for(size_t base_size) {
  size_t stride = 32;
  if (base_size <= 512 * kKiB) {
    stride = 4;
  } else if (base_size <= 2 * kMiB) {
    stride = 8;
  } else if (base_size <= 64 * kMiB) {
    stride = 16;
  }
  while (base_size / stride > kMaxBlocks) stride *= 2;
  return stride;
}

}  // namespace

BaseIndex::Shape BaseIndex::shape_of(size_t base_size) {
  const size_t stride = stride_for(base_size);
  const size_t block_size = base_size <= 512 * kKiB ? 12 : 16;
  const size_t blocks = base_size < block_size ? 0 : (base_size - block_size) / stride + 1;
  // A bucket of two slots for each 4/3 blocks: 6 bytes per block.
  const auto buckets = static_cast<uint32_t>(blocks - blocks / 4 + 1);
  const auto words = static_cast<uint32_t>(blocks * kFilterBitsPerBlock / 32 + 1);
  return {block_size, stride, blocks, buckets, words};
}

size_t BaseIndex::size_bytes_for(size_t base_size) {
  const Shape shape = shape_of(base_size);
  return size_t{shape.filter_words} * sizeof(uint32_t) + size_t{shape.buckets} * 2 * sizeof(Slot);
}

void BaseIndex::insert(uint64_t hash, size_t block) {
  filter()[scale(static_cast<uint32_t>(hash), filter_words_)] |= filter_mask(hash);
  const auto slot = static_cast<Slot>((block + 1) << kTagBits | (hash & kTagMask));
  // The first of a run of equal blocks stays; the second slot holds the latest.
  Slot* slots = bucket(hash);
  slots[slots[0] == 0 ? 0 : 1] = slot;
}

Status BaseIndex::build(std::span<const uint8_t> base, BaseIndex& index) {
  constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a match index."};
  if (base.size() > kMaxSize) return {ErrorCode::LIMIT, "The base is too large for a delta."};
  const Shape shape = shape_of(base.size());
  index.base_size_ = base.size();
  index.block_size_ = shape.block_size;
  index.stride_ = shape.stride;
  index.buckets_ = shape.buckets;
  index.filter_words_ = shape.filter_words;
  index.filter_ = codec::Block::zeroed(size_t{shape.filter_words} * sizeof(uint32_t));
  index.slots_ = codec::Block::zeroed(size_t{shape.buckets} * 2 * sizeof(Slot));
  if (!index.filter_.valid() || !index.slots_.valid()) return kNoMemory;

  std::array<uint64_t, kAhead> pending{};
  const auto hash_of = [&](size_t block) { return index.hash(base.data() + block * shape.stride); };
  for (size_t block = 0; block < shape.blocks + kAhead; ++block) {
    uint64_t& ring = pending[block % kAhead];
    if (block >= kAhead) index.insert(ring, block - kAhead);
    if (block >= shape.blocks) continue;
    ring = hash_of(block);
    index.prefetch_filter(ring);
    index.prefetch_bucket(ring);
  }
  return {};
}

}  // namespace dwcp::delta
