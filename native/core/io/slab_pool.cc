// See slab_pool.h.
#include "core/io/slab_pool.h"

#include <algorithm>

namespace dwcp::io {

SlabPool::SlabPool(RegionSource& source, size_t budget_bytes)
    : source_(source),
      budget_slabs_(std::max<size_t>(1, (budget_bytes + kRegionSize - 1) / kRegionSize) *
                    kRegionSlabs) {}

/// Slabs in all at which a use ends.
size_t SlabPool::limit(SlabUse use) const {
  return use == SlabUse::kSend       ? budget_slabs_
         : use == SlabUse::kAssembly ? 3 * quarter()
                                     : 2 * quarter();
}

size_t SlabPool::spare(SlabUse use) const {
  const auto below = [](size_t value, size_t limit) { return limit > value ? limit - value : 0; };
  const size_t all = below(used(), limit(use));
  if (use == SlabUse::kAssembly) return std::min(all, below(begun_slabs_, 2 * quarter()));
  if (use == SlabUse::kReceive) return std::max(all, below(used() - begun_slabs_, quarter()));
  return all;
}

size_t SlabPool::excess(SlabUse use) const {
  return available(use) || used() < limit(use) ? 0 : used() - limit(use) + 1;
}

SlabId SlabPool::acquire(SlabUse use) {
  if (!available(use) || (free_.empty() && !grow())) {
    ++refusals_;
    return kNoSlab;
  }
  const SlabId slab = free_.back();
  free_.pop_back();
  users_[slab] = 1;
  return slab;
}

void SlabPool::release(SlabId slab) {
  if (--users_[slab] == 0) free_.push_back(slab);
}

bool SlabPool::grow() {
  uint8_t* region = source_.add_region();
  if (region == nullptr) return false;
  const auto first = static_cast<SlabId>(users_.size());
  regions_.push_back(region);
  users_.resize(users_.size() + kRegionSlabs, 0);
  begun_.resize(users_.size(), 0);
  for (SlabId i = kRegionSlabs; i > 0; --i) free_.push_back(first + i - 1);
  return true;
}

uint8_t* SlabArena::allocate(size_t size, SlabId& slab) {
  if (slab_ == kNoSlab || kSlabSize - filled_ < size) {
    close();
    slab_ = pool_.acquire(use_);
    if (slab_ == kNoSlab) return nullptr;
  }
  pool_.retain(slab_);
  slab = slab_;
  uint8_t* piece = pool_.data(slab_) + filled_;
  filled_ += size;
  return piece;
}

void SlabArena::close() {
  if (slab_ != kNoSlab) pool_.release(slab_);
  slab_ = kNoSlab;
  filled_ = 0;
}

}  // namespace dwcp::io
