// The seam between the engine and the kernel: one implementation over epoll, one over io_uring. A
// backend moves bytes and reports; it decides nothing. Everything happens on the engine's thread:
// the sink is called from `poll`, `send`, `submit` and `cancel`, and never ends a connection from
// there, so that one stays good while its events are handled.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <span>

#include "core/io/connection.h"
#include "core/io/tick_budget.h"

namespace dwcp::io {

struct Listener {
  uint32_t id = 0;
  int fd = -1;
  bool framed = true;
  uint32_t tls = 0;  // number of the context, 0 in plaintext
  bool closing = false;
  uint32_t operations = 0;
};

class BackendSink {
 public:
  virtual ~BackendSink() = default;
  /// A new socket, or the negative errno of a failed accept.
  virtual void on_accept(Listener& listener, int fd) = 0;
  virtual void on_connect(Connection& connection, int error) = 0;
  /// The piece comes with a share of its slab.
  virtual void on_receive(Connection& connection, const Piece& piece) = 0;
  /// FIN, or the errno of a failed receive.
  virtual void on_end(Connection& connection, int error) = 0;
  /// Bytes the kernel took; 0 with the errno of a failed send.
  virtual void on_sent(Connection& connection, size_t size, int error) = 0;
  /// No slab was free; `receive` must be called again.
  virtual void on_starved(Connection& connection) = 0;
  /// Nothing of a cancelled connection is in the kernel any more.
  virtual void on_idle(Connection& connection) = 0;
};

/// Reads once what is there into `into`, and tells when nothing more will come. Returns the bytes.
inline size_t receive_now(Connection& connection, std::span<uint8_t> into, BackendSink& sink) {
  const ssize_t size = recv(connection.fd, into.data(), into.size(), MSG_DONTWAIT);
  if (size > 0) return static_cast<size_t>(size);
  if (size == 0) {
    sink.on_end(connection, 0);
  } else if (errno != EAGAIN && errno != EINTR) {
    sink.on_end(connection, errno);
  }
  return 0;
}

class Backend {
 public:
  virtual ~Backend() = default;

  /// Readable when `poll` has something to do.
  virtual int poll_fd() const = 0;
  /// Whether sockets must be non-blocking.
  virtual bool nonblocking() const = 0;

  /// Accepts until `unlisten`.
  virtual void listen(Listener& listener) = 0;
  virtual void unlisten(Listener& listener) = 0;
  virtual void connect(Connection& connection, const sockaddr_storage& address) = 0;
  /// Begins or goes on receiving, or stops, as `wants_input()` says.
  virtual void receive(Connection& connection) = 0;
  /// Sends what is queued unless a send is under way.
  virtual void send(Connection& connection) = 0;
  /// Ends whatever is in the kernel; `on_idle` follows.
  virtual void cancel(Connection& connection) = 0;

  /// Handles what has happened, as far as the tick's budget goes; the rest makes it readable again.
  virtual void poll() = 0;
  /// Hands prepared work to the kernel.
  virtual void submit() = 0;
  /// True when `poll` would find something: what the watchdog asks.
  virtual bool pending() = 0;
  /// Slabs it keeps for what is yet to come, and that hold nothing: lent to the kernel, or open to
  /// be read into.
  virtual size_t standing() const = 0;
  /// Cancels everything and waits for the kernel to let go of all memory, within a bound.
  virtual void shut_down() = 0;
};

}  // namespace dwcp::io
