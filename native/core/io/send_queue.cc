// See send_queue.h.
#include "core/io/send_queue.h"

#include <algorithm>

namespace dwcp::io {

void SendQueue::push(SlabPool& pool, const Piece& piece) {
  if (piece.size == 0) {
    pool.release(piece.slab);
    return;
  }
  bytes_ += piece.size;
  if (first_ < pieces_.size()) {
    Piece& last = pieces_.back();
    if (last.slab == piece.slab && last.data + last.size == piece.data) {
      last.size += piece.size;
      pool.release(piece.slab);  // one share holds the joined piece
      return;
    }
  }
  // The consumed front is dropped once it is the larger half, so pushing stays linear.
  if (first_ > 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
  pieces_.push_back(piece);
}

size_t SendQueue::gather(iovec* out, size_t max) const {
  const size_t count = std::min(max, pieces_.size() - first_);
  for (size_t i = 0; i < count; ++i) {
    out[i] = {pieces_[first_ + i].data, pieces_[first_ + i].size};
  }
  return count;
}

void SendQueue::consume(SlabPool& pool, size_t size) {
  bytes_ -= size;
  while (size > 0) {
    Piece& piece = pieces_[first_];
    const size_t taken = std::min(size, piece.size);
    piece.data += taken;
    piece.size -= taken;
    size -= taken;
    if (piece.size > 0) return;
    pool.release(piece.slab);
    ++first_;
  }
  if (first_ == pieces_.size()) {
    pieces_.clear();
    first_ = 0;
  }
}

void SendQueue::clear(SlabPool& pool) {
  for (size_t i = first_; i < pieces_.size(); ++i) pool.release(pieces_[i].slab);
  pieces_.clear();
  first_ = 0;
  bytes_ = 0;
}

}  // namespace dwcp::io
