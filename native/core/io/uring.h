// The three system calls of io_uring and the two rings shared with the kernel: as much of liburing
// as the engine uses, so that nothing has to be installed or linked. One thread only. Constants of
// kernels newer than the headers are defined here.
#pragma once

#include <cstddef>
#include <cstdint>

#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif

/// Whether the headers of this build know multishot receive (Linux 6.0); else there is no ring.
#ifdef IORING_RECV_MULTISHOT
#define DWCP_URING 1
#else
#define DWCP_URING 0
#endif

#if DWCP_URING

namespace dwcp::io {

class Uring {
 public:
  ~Uring();

  /// 0 or a negative errno.
  int start(unsigned entries, unsigned completions);

  int fd() const { return fd_; }
  /// A cleared entry; submits when the ring is full. Never null.
  io_uring_sqe& entry();
  /// Hands prepared entries over and lets the kernel finish what it postponed.
  void submit();
  /// The same, waiting for `count` completions at most `timeout_ms`.
  void wait(unsigned count, unsigned timeout_ms);

  /// The oldest completion, or null.
  const io_uring_cqe* peek() const;
  void advance();
  /// True when a completion is there or postponed in the kernel.
  bool pending() const;
  /// Makes postponed completions visible.
  void settle();

  int register_opcode(unsigned opcode, void* argument, unsigned count);

 private:
  int enter(unsigned to_submit, unsigned wait_for, unsigned flags, void* argument, size_t size);
  int map(const io_uring_params& params);

  int fd_ = -1;
  void* rings_ = nullptr;
  size_t rings_size_ = 0;
  io_uring_sqe* entries_ = nullptr;
  size_t entries_size_ = 0;
  unsigned* sq_head_ = nullptr;
  unsigned* sq_tail_ = nullptr;
  unsigned* sq_flags_ = nullptr;
  unsigned* sq_array_ = nullptr;
  unsigned sq_mask_ = 0;
  unsigned sq_entries_ = 0;
  unsigned tail_ = 0;
  unsigned submitted_ = 0;
  unsigned* cq_head_ = nullptr;
  unsigned* cq_tail_ = nullptr;
  io_uring_cqe* completions_ = nullptr;
  unsigned cq_mask_ = 0;
};

/// A ring of buffers the kernel fills front to back, each with what arrives for any socket, until
/// it is full (IOU_PBUF_RING_INC, Linux 6.12).
class BufferRing {
 public:
  ~BufferRing();

  /// 0 or a negative errno. `entries` is a power of two.
  int start(Uring& uring, unsigned entries, uint16_t group);
  void add(uint8_t* data, uint32_t size, uint16_t id);
  /// Shows the kernel what was added.
  void publish();

 private:
  io_uring_buf* buffers_ = nullptr;
  size_t size_ = 0;
  unsigned mask_ = 0;
  uint16_t tail_ = 0;
};

}  // namespace dwcp::io

#endif  // DWCP_URING
