// Readiness through epoll: what io_uring is measured against, and what runs where io_uring is
// forbidden or too old. Level-triggered, one read per ready socket and poll; all sockets read into
// one open slab, so small messages lie side by side.
#pragma once

#include "core/io/backend.h"

namespace dwcp::io {

class EpollBackend final : public Backend {
 public:
  EpollBackend(BackendSink& sink, SlabPool& pool) : sink_(sink), pool_(pool) {}
  ~EpollBackend() override;

  /// 0 or a negative errno.
  int start();

  int poll_fd() const override { return epoll_; }
  bool nonblocking() const override { return true; }
  void listen(Listener& listener) override;
  void unlisten(Listener& listener) override;
  void connect(Connection& connection, const sockaddr_storage& address) override;
  void receive(Connection& connection) override;
  void send(Connection& connection) override;
  void cancel(Connection& connection) override;
  void poll() override;
  void submit() override {}
  bool pending() override;
  size_t standing() const override { return slab_ != kNoSlab && pool_.sole_user(slab_) ? 1 : 0; }
  void shut_down() override;

 private:
  void accept_all(Listener& listener);
  void finish_connect(Connection& connection);
  void read_once(Connection& connection);
  bool open_slab();
  void watch(Connection& connection, uint32_t interest);
  void update(Connection& connection);

  BackendSink& sink_;
  SlabPool& pool_;
  int epoll_ = -1;
  SlabId slab_ = kNoSlab;
  size_t filled_ = 0;
};

}  // namespace dwcp::io
