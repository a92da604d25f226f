// Readiness through epoll: what io_uring is measured against, and what runs where io_uring is
// forbidden or too old. Level-triggered, a read per ready socket and poll, and more while whole
// slabs come; all sockets read into one open slab, so small messages lie side by side.
#pragma once

#include <sys/epoll.h>

#include <array>

#include "core/io/backend.h"
#include "core/io/read_slab.h"

namespace dwcp::io {

class EpollBackend final : public Backend {
 public:
  EpollBackend(BackendSink& sink, SlabPool& pool, TickBudget& budget)
      : sink_(sink), reads_(pool), budget_(budget) {}
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
  size_t standing() const override { return reads_.standing(); }
  void shut_down() override { reads_.close(); }

 private:
  void accept_all(Listener& listener);
  void finish_connect(Connection& connection);
  size_t read(Connection& connection);
  size_t handle(const epoll_event& event);
  size_t handle_input(Connection& connection, uint32_t events);
  void forget(const void* object);
  void watch(Connection& connection, uint32_t interest);
  void update(Connection& connection);

  BackendSink& sink_;
  ReadSlab reads_;
  TickBudget& budget_;
  // Events told and not yet handled: the next poll begins with them, or the first would always win.
  std::array<epoll_event, 256> events_{};
  size_t next_event_ = 0;
  size_t events_end_ = 0;
  int epoll_ = -1;
};

}  // namespace dwcp::io
