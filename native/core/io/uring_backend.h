// Completions through io_uring: multishot accept and receive, received bytes in slabs lent to the
// kernel, at most one send per connection in flight. Where much comes for many at once, the kernel
// would receive more than the cache holds before the first of it is looked at: such connections are
// only watched by the ring, and read one after the other. Needs incremental buffer rings
// (Linux 6.12): with plain ones a small message would take a whole buffer, and the ring is slower
// than epoll.
#pragma once

#include "core/io/backend.h"
#include "core/io/read_slab.h"
#include "core/io/uring.h"

#if DWCP_URING

namespace dwcp::io {

class UringBackend final : public Backend {
 public:
  UringBackend(BackendSink& sink, SlabPool& pool, TickBudget& budget)
      : sink_(sink), pool_(pool), reads_(pool), budget_(budget) {}

  /// 0 or a negative errno. Proves itself with a round trip over a socket pair first.
  int start();

  int poll_fd() const override { return uring_.fd(); }
  bool nonblocking() const override { return false; }
  void listen(Listener& listener) override;
  void unlisten(Listener& listener) override;
  void connect(Connection& connection, const sockaddr_storage& address) override;
  void receive(Connection& connection) override;
  void send(Connection& connection) override;
  void cancel(Connection& connection) override;
  void poll() override;
  void submit() override;
  bool pending() override { return uring_.pending(); }
  size_t standing() const override;
  void shut_down() override;

 private:
  enum class Operation : uint8_t { kAccept, kConnect, kReceive, kSend, kCancel, kReady };

  static constexpr uint16_t kGroup = 0;
  static constexpr unsigned kBufferMore = 1U << 4;  // IORING_CQE_F_BUF_MORE
  /// Slabs lent at most: 2 MB, or what was received is out of the cache before it is read.
  static constexpr unsigned kMostLent = 16;

  static uint64_t mark(const void* object, Operation operation) {
    return reinterpret_cast<uintptr_t>(object) | static_cast<uint64_t>(operation);
  }

  io_uring_sqe& prepare(Operation operation, uint8_t opcode, int fd, void* object);
  void prepare_cancel(uint64_t target, unsigned flags, Connection* connection);
  void handle(const io_uring_cqe& completion);
  void accepted(Listener& listener, const io_uring_cqe& completion);
  void stop_receiving(Connection& connection);
  void received(Connection& connection, const io_uring_cqe& completion);
  void receive_over(Connection& connection, int result);
  void take_note(Connection& connection, size_t size);
  void ready(Connection& connection, int result);
  void read_once(Connection& connection);
  void sent(Connection& connection, int result);
  void lend();
  int prove();

  BackendSink& sink_;
  SlabPool& pool_;
  ReadSlab reads_;
  TickBudget& budget_;
  // The buffers go after the ring that knows them.
  BufferRing buffers_;
  Uring uring_;
  std::vector<uint32_t> filled_;  // by slab: bytes the kernel wrote into it
  unsigned lent_ = 0;
  std::vector<bool> is_lent_;  // by slab
  unsigned wanted_ = 4;
  uint64_t polls_ = 0;
  size_t large_ = 0;  // connections that received much in this poll
  unsigned in_flight_ = 0;
};

}  // namespace dwcp::io

#endif  // DWCP_URING
