// See epoll_backend.h.
#include "core/io/epoll_backend.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace dwcp::io {
namespace {

constexpr int kAcceptsPerPoll = 256;
/// Reads in a row of a connection that fills a slab with each: 1 MiB, which the nearer caches hold.
constexpr int kReadsPerPoll = 8;
/// Marks a listener among the pointers epoll keeps for us.
constexpr uint64_t kListenerBit = 1;

uint64_t mark(const void* object) { return reinterpret_cast<uintptr_t>(object); }

}  // namespace

EpollBackend::~EpollBackend() {
  if (epoll_ >= 0) close(epoll_);
}

int EpollBackend::start() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  return epoll_ < 0 ? -errno : 0;
}

void EpollBackend::listen(Listener& listener) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = mark(&listener) | kListenerBit;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener.fd, &event);
}

void EpollBackend::unlisten(Listener& listener) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, listener.fd, nullptr);
  forget(&listener);
}

void EpollBackend::connect(Connection& connection, const sockaddr_storage& address) {
  const socklen_t size = address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  const int result = ::connect(connection.fd, reinterpret_cast<const sockaddr*>(&address), size);
  if (result < 0 && errno != EINPROGRESS) return sink_.on_connect(connection, errno);
  // Also when it is connected at once: the answer comes from `poll`, as ever.
  watch(connection, EPOLLOUT);
}

void EpollBackend::receive(Connection& connection) { update(connection); }

void EpollBackend::send(Connection& connection) {
  if (connection.sending) return;  // waits for room in the socket
  iovec pieces[SendOperation::kPieces];
  while (!connection.output.empty()) {
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = connection.output.gather(pieces, SendOperation::kPieces);
    const ssize_t sent = sendmsg(connection.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      if (errno != EAGAIN) return sink_.on_sent(connection, 0, errno);
      connection.sending = true;
      return update(connection);
    }
    sink_.on_sent(connection, static_cast<size_t>(sent), 0);
  }
}

void EpollBackend::cancel(Connection& connection) {
  if (connection.interest != 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.fd, nullptr);
  connection.interest = 0;
  connection.sending = false;
  forget(&connection);
  sink_.on_idle(connection);
}

void EpollBackend::poll() {
  if (next_event_ == events_end_) {
    const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), 0);
    next_event_ = 0;
    events_end_ = static_cast<size_t>(std::max(count, 0));
  }
  while (next_event_ < events_end_) {
    if (budget_.charge(handle(events_[next_event_++]))) return;
  }
}

/// Returns the bytes it read.
size_t EpollBackend::handle(const epoll_event& event) {
  const uint64_t data = event.data.u64;
  if (data == 0) return 0;
  if ((data & kListenerBit) != 0) {
    accept_all(*reinterpret_cast<Listener*>(data & ~kListenerBit));
    return 0;
  }
  auto& connection = *reinterpret_cast<Connection*>(data);
  if (connection.phase == Phase::kConnecting) {
    finish_connect(connection);
    return 0;
  }
  if ((event.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0 && connection.sending) {
    connection.sending = false;
    send(connection);
  }
  const size_t size = handle_input(connection, event.events);
  update(connection);
  return size;
}

size_t EpollBackend::handle_input(Connection& connection, uint32_t events) {
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) return 0;
  if (connection.wants_input()) return read(connection);
  if ((events & (EPOLLERR | EPOLLHUP)) == 0) return 0;
  // Nobody reads, and these two cannot be switched off; the reset must be told all the same.
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  sink_.on_end(connection, error == 0 ? ECONNRESET : error);
  return 0;
}

/// What is gone has no events any more.
void EpollBackend::forget(const void* object) {
  for (size_t i = next_event_; i < events_end_; ++i) {
    if ((events_[i].data.u64 & ~kListenerBit) == mark(object)) events_[i].data.u64 = 0;
  }
}

bool EpollBackend::pending() {
  pollfd self{epoll_, POLLIN, 0};
  return ::poll(&self, 1, 0) > 0;
}

void EpollBackend::accept_all(Listener& listener) {
  for (int i = 0; i < kAcceptsPerPoll; ++i) {
    const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && errno == EAGAIN) return;
    sink_.on_accept(listener, fd < 0 ? -errno : fd);
    if (fd < 0) return;
  }
}

void EpollBackend::finish_connect(Connection& connection) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  watch(connection, 0);
  sink_.on_connect(connection, error);
}

/// Reads until less comes than a slab: much at once then costs one system call a slab, not three
/// and a turn of the event loop.
size_t EpollBackend::read(Connection& connection) {
  size_t size = 0;
  for (int i = 0; i < kReadsPerPoll && connection.wants_input(); ++i) {
    const size_t more = reads_.read(connection, sink_);
    size += more;
    if (more < kSlabSize) break;
  }
  return size;
}

void EpollBackend::update(Connection& connection) {
  if (connection.phase == Phase::kConnecting || connection.phase == Phase::kEnding) return;
  watch(connection, (connection.wants_input() ? EPOLLIN : 0U) |
                        (connection.sending ? static_cast<uint32_t>(EPOLLOUT) : 0U));
}

void EpollBackend::watch(Connection& connection, uint32_t interest) {
  // With no interest it is taken out: errors are reported to members whatever they asked for.
  if (interest == connection.interest) return;
  epoll_event event{};
  event.events = interest;
  event.data.u64 = mark(&connection);
  const int operation = interest == 0              ? EPOLL_CTL_DEL
                        : connection.interest == 0 ? EPOLL_CTL_ADD
                                                   : EPOLL_CTL_MOD;
  epoll_ctl(epoll_, operation, connection.fd, &event);
  connection.interest = interest;
}

}  // namespace dwcp::io
