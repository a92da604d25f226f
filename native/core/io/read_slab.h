// Where sockets that are read when they are ready leave their bytes: one slab at a time, so that
// small messages lie side by side, and the same again once all in it is dealt with, while the cache
// is warm.
#pragma once

#include <cstdint>
#include <span>

#include "core/io/backend.h"
#include "core/io/slab_pool.h"

namespace dwcp::io {

class ReadSlab {
 public:
  explicit ReadSlab(SlabPool& pool) : pool_(pool) {}

  /// Reads once what is there from a connection, and tells the sink. Returns the bytes read.
  size_t read(Connection& connection, BackendSink& sink) {
    const auto into = room();
    if (into.empty()) {
      sink.on_starved(connection);
      return 0;
    }
    const size_t size = receive_now(connection, into, sink);
    if (size > 0) sink.on_receive(connection, take(size));
    return size;
  }

  /// Slabs it keeps that hold nothing.
  size_t standing() const { return slab_ != kNoSlab && pool_.sole_user(slab_) ? 1 : 0; }

  void close() {
    if (slab_ != kNoSlab) pool_.release(slab_);
    slab_ = kNoSlab;
  }

 private:
  static constexpr size_t kLeastRoom = 16 * 1024;

  /// Room for a read that is worth its system call; empty when no slab is free.
  std::span<uint8_t> room() {
    if (slab_ != kNoSlab && pool_.sole_user(slab_)) filled_ = 0;
    if (slab_ == kNoSlab || kSlabSize - filled_ < kLeastRoom) {
      const SlabId next = pool_.acquire(SlabUse::kReceive);
      if (next == kNoSlab) return {};
      close();
      slab_ = next;
      filled_ = 0;
    }
    return {pool_.data(slab_) + filled_, kSlabSize - filled_};
  }

  /// The first `size` bytes of the room, which were read, with a share of the slab.
  Piece take(size_t size) {
    pool_.retain(slab_);
    const Piece piece{slab_, pool_.data(slab_) + filled_, size};
    filled_ += size;
    return piece;
  }

  SlabPool& pool_;
  SlabId slab_ = kNoSlab;
  size_t filled_ = 0;
};

}  // namespace dwcp::io
