// Memory that sockets are read into and written from. Slabs of one size are cut from regions of 2
// MiB, which JavaScript sees too; each slab counts its users, and the one freed last is taken
// first, so that it is still in the cache. The pool grows a region at a time up to its budget and
// keeps what it has. Receiving stops at half the budget and putting frames together at three
// quarters, so that what was received can be answered. Frames that were begun hold half at most and
// do not stop receiving before all else has a quarter; where it stops, they are read to where they
// lie (see Engine::pull).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dwcp::io {

inline constexpr size_t kSlabSize = 128 * 1024;
inline constexpr size_t kRegionSlabs = 16;
inline constexpr size_t kRegionSize = kSlabSize * kRegionSlabs;

using SlabId = uint32_t;
inline constexpr SlabId kNoSlab = UINT32_MAX;

/// Where regions come from. They stay until the pool is gone.
class RegionSource {
 public:
  virtual ~RegionSource() = default;
  /// `kRegionSize` bytes, or null.
  virtual uint8_t* add_region() = 0;
};

enum class SlabUse : uint8_t { kReceive, kAssembly, kSend };

class SlabPool {
 public:
  /// The budget is rounded up to whole regions.
  SlabPool(RegionSource& source, size_t budget_bytes);

  /// A slab with one user, or `kNoSlab` at the limit of that use.
  SlabId acquire(SlabUse use);
  void retain(SlabId slab) { ++users_[slab]; }
  void release(SlabId slab);

  /// A frame whose end is to come was begun in a slab that is in use.
  void begin_frame(SlabId slab) { begun_slabs_ += begun_[slab]++ == 0; }
  /// It is whole, or given up.
  void end_frame(SlabId slab) { begun_slabs_ -= --begun_[slab] == 0; }

  uint8_t* data(SlabId slab) const {
    return regions_[slab / kRegionSlabs] + slab % kRegionSlabs * kSlabSize;
  }
  /// True for a slab that has users.
  bool in_use(SlabId slab) const { return slab < users_.size() && users_[slab] > 0; }
  /// True when its only user is the caller.
  bool sole_user(SlabId slab) const { return users_[slab] == 1; }
  /// What `data` points to, counted from the first byte of region 0.
  uint32_t address(SlabId slab, const uint8_t* data) const {
    return static_cast<uint32_t>(slab * kSlabSize + (data - this->data(slab)));
  }

  size_t regions() const { return regions_.size(); }
  uint8_t* region(size_t index) const { return regions_[index]; }
  size_t slabs() const { return users_.size(); }
  size_t used() const { return users_.size() - free_.size(); }
  size_t budget_slabs() const { return budget_slabs_; }
  /// How often a slab was asked for in vain.
  uint64_t refusals() const { return refusals_; }
  /// True when `acquire` would give one.
  bool available(SlabUse use) const { return spare(use) > 0; }
  /// How many `acquire` would give now.
  size_t spare(SlabUse use) const;
  /// Slabs to be given back before one is available for that use; 0 as well where it is for frames
  /// under way that none is.
  size_t excess(SlabUse use) const;

 private:
  bool grow();
  size_t limit(SlabUse use) const;
  size_t quarter() const { return budget_slabs_ / 4; }

  RegionSource& source_;
  size_t budget_slabs_;
  std::vector<uint8_t*> regions_;
  std::vector<uint32_t> users_;
  std::vector<uint32_t> begun_;  // frames under way in a slab
  size_t begun_slabs_ = 0;       // slabs with any
  std::vector<SlabId> free_;
  uint64_t refusals_ = 0;
};

/// Cuts pieces out of slabs, one after another.
class SlabArena {
 public:
  SlabArena(SlabPool& pool, SlabUse use) : pool_(pool), use_(use) {}
  ~SlabArena() { close(); }
  SlabArena(const SlabArena&) = delete;
  SlabArena& operator=(const SlabArena&) = delete;

  /// `size` bytes, at most a slab, whose slab gets the caller as one more user; null at the limit.
  uint8_t* allocate(size_t size, SlabId& slab);
  /// Begins a new slab with the next piece.
  void close();
  /// Slabs open to be cut from that hold nothing: one or none.
  size_t standing() const { return slab_ != kNoSlab && pool_.sole_user(slab_) ? 1 : 0; }

 private:
  SlabPool& pool_;
  SlabUse use_;
  SlabId slab_ = kNoSlab;
  size_t filled_ = 0;
};

}  // namespace dwcp::io
