// Bytes of one connection on their way out, in order. Neighbours in memory are joined, and one
// system call takes as many pieces as fit.
#pragma once

#include <sys/uio.h>

#include <vector>

#include "core/io/frame_reader.h"

namespace dwcp::io {

class SendQueue {
 public:
  /// Takes over the piece and its share of the slab.
  void push(SlabPool& pool, const Piece& piece);
  /// The first pieces, at most `max`; returns how many.
  size_t gather(iovec* out, size_t max) const;
  /// The kernel took the first `size` bytes.
  void consume(SlabPool& pool, size_t size);
  void clear(SlabPool& pool);

  size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }

 private:
  std::vector<Piece> pieces_;
  size_t first_ = 0;
  size_t bytes_ = 0;
};

}  // namespace dwcp::io
