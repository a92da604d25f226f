// See uring_backend.h. An entry carries its operation in the low three bits of the pointer to what
// it belongs to; that object stays until its last completion is here.
#include "core/io/uring_backend.h"

#if DWCP_URING

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace dwcp::io {
namespace {

constexpr unsigned kEntries = 1024;
constexpr unsigned kCompletions = 16384;
constexpr uint64_t kOperationMask = 7;
constexpr int kSubmitRounds = 4;
constexpr unsigned kShutdownMs = 200;
constexpr unsigned kProofMs = 200;

}  // namespace

int UringBackend::start() {
  if (const int error = uring_.start(kEntries, kCompletions); error < 0) return error;
  if (const int error = buffers_.start(uring_, kMostLent, kGroup); error < 0) return error;
  lend();
  return prove();
}

void UringBackend::listen(Listener& listener) {
  auto& entry = prepare(Operation::kAccept, IORING_OP_ACCEPT, listener.fd, &listener);
  entry.ioprio = IORING_ACCEPT_MULTISHOT;
  entry.accept_flags = SOCK_CLOEXEC;
  ++listener.operations;
}

void UringBackend::unlisten(Listener& listener) {
  if (listener.operations == 0) return;
  prepare_cancel(mark(&listener, Operation::kAccept), 0, nullptr);
}

void UringBackend::connect(Connection& connection, const sockaddr_storage& address) {
  connection.peer = std::make_unique<sockaddr_storage>(address);
  auto& entry = prepare(Operation::kConnect, IORING_OP_CONNECT, connection.fd, &connection);
  entry.addr = reinterpret_cast<uintptr_t>(connection.peer.get());
  entry.off = address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  ++connection.operations;
}

void UringBackend::send(Connection& connection) {
  if (connection.sending || connection.output.empty()) return;
  if (!connection.send_operation) connection.send_operation = std::make_unique<SendOperation>();
  auto& [message, pieces] = *connection.send_operation;
  const size_t count = connection.output.gather(pieces.data(), pieces.size());
  if (count == 1) {
    auto& entry = prepare(Operation::kSend, IORING_OP_SEND, connection.fd, &connection);
    entry.addr = reinterpret_cast<uintptr_t>(pieces[0].iov_base);
    entry.len = static_cast<uint32_t>(pieces[0].iov_len);
    entry.msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
  } else {
    message = {};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    auto& entry = prepare(Operation::kSend, IORING_OP_SENDMSG, connection.fd, &connection);
    entry.addr = reinterpret_cast<uintptr_t>(&message);
    entry.len = 1;
    entry.msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
  }
  connection.sending = true;
  ++connection.operations;
}

void UringBackend::cancel(Connection& connection) {
  if (connection.operations == 0) return sink_.on_idle(connection);
  // A send that waits for room is in the kernel's poll; so is a receive. Both go by descriptor.
  prepare_cancel(static_cast<uint64_t>(connection.fd),
                 IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, &connection);
}

void UringBackend::poll() {
  uring_.settle();
  ++polls_;
  large_ = 0;
  // Bounded: completions that come while these are handled wait for the next poll.
  for (unsigned i = 0; i < kCompletions; ++i) {
    const io_uring_cqe* completion = uring_.peek();
    if (completion == nullptr) break;
    const io_uring_cqe copy = *completion;
    uring_.advance();
    handle(copy);
    if (budget_.charge(copy.res > 0 ? static_cast<size_t>(copy.res) : 0)) break;
  }
}

void UringBackend::submit() {
  lend();
  // Most sends end within the call: taking their completions now saves a wake-up for each batch.
  for (int round = 0; round < kSubmitRounds; ++round) {
    uring_.submit();
    if (!uring_.pending() || budget_.spent()) return;
    poll();
  }
  uring_.submit();
}

void UringBackend::shut_down() {
  if (uring_.fd() < 0) return;
  auto& entry = uring_.entry();
  entry.opcode = IORING_OP_ASYNC_CANCEL;
  entry.cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  entry.user_data = mark(nullptr, Operation::kCancel);
  ++in_flight_;
  for (unsigned waited = 0; in_flight_ > 0 && waited < kShutdownMs; ++waited) {
    uring_.wait(1, 1);
    poll();
  }
  reads_.close();
}

io_uring_sqe& UringBackend::prepare(Operation operation, uint8_t opcode, int fd, void* object) {
  auto& entry = uring_.entry();
  entry.opcode = opcode;
  entry.fd = fd;
  entry.user_data = mark(object, operation);
  ++in_flight_;
  return entry;
}

void UringBackend::prepare_cancel(uint64_t target, unsigned flags, Connection* connection) {
  auto& entry = prepare(Operation::kCancel, IORING_OP_ASYNC_CANCEL, -1, connection);
  if ((flags & IORING_ASYNC_CANCEL_FD) != 0) {
    entry.fd = static_cast<int>(target);
  } else {
    entry.addr = target;
  }
  entry.cancel_flags = flags;
  if (connection != nullptr) ++connection->operations;
}

void UringBackend::handle(const io_uring_cqe& completion) {
  const bool last = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (last) --in_flight_;
  const auto operation = static_cast<Operation>(completion.user_data & kOperationMask);
  auto* object = reinterpret_cast<void*>(completion.user_data & ~kOperationMask);
  if (object == nullptr) return;  // the cancel of a listener
  if (operation == Operation::kAccept) {
    return accepted(*static_cast<Listener*>(object), completion);
  }
  auto& connection = *static_cast<Connection*>(object);
  if (last) --connection.operations;
  switch (operation) {
    case Operation::kConnect:
      sink_.on_connect(connection, -completion.res);
      break;
    case Operation::kReceive:
      received(connection, completion);
      break;
    case Operation::kReady:
      ready(connection, completion.res);
      break;
    case Operation::kSend:
      sent(connection, completion.res);
      break;
    default:
      break;
  }
  if (connection.phase == Phase::kEnding && connection.operations == 0) sink_.on_idle(connection);
}

void UringBackend::accepted(Listener& listener, const io_uring_cqe& completion) {
  const bool last = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (last) --listener.operations;
  if (completion.res >= 0 || !listener.closing) sink_.on_accept(listener, completion.res);
  if (last && !listener.closing) listen(listener);
}

void UringBackend::sent(Connection& connection, int result) {
  connection.sending = false;
  if (result == -EINTR || result == -EAGAIN) result = 0;
  if (result < 0) return sink_.on_sent(connection, 0, -result);
  sink_.on_sent(connection, static_cast<size_t>(result), 0);
  if (connection.live()) send(connection);
}

/// One multishot receive over a socket pair: what the kernel claims and what it does may differ,
/// and a filter may let the set-up pass and not the rest.
int UringBackend::prove() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  auto& entry = uring_.entry();
  entry.opcode = IORING_OP_RECV;
  entry.fd = pair[0];
  entry.ioprio = IORING_RECV_MULTISHOT;
  entry.flags = IOSQE_BUFFER_SELECT;
  entry.buf_group = kGroup;
  int error = write(pair[1], "dwcp", 4) == 4 ? 0 : -errno;
  shutdown(pair[1], SHUT_WR);
  int round_trips = 0;
  bool over = false;
  for (unsigned waited = 0; !over && waited < kProofMs; ++waited) {
    uring_.wait(1, 1);
    while (const io_uring_cqe* completion = uring_.peek()) {
      const SlabId slab = completion->flags >> IORING_CQE_BUFFER_SHIFT;
      if (completion->res == 4 && (completion->flags & kBufferMore) != 0) {
        filled_[slab] += 4;
        round_trips += std::memcmp(pool_.data(slab), "dwcp", 4) == 0 ? 1 : 0;
      } else if (completion->res < 0) {
        error = completion->res;
      }
      over = (completion->flags & IORING_CQE_F_MORE) == 0;
      uring_.advance();
    }
  }
  close(pair[0]);
  close(pair[1]);
  if (error == 0 && !over) error = -ETIME;
  return error == 0 && round_trips != 1 ? -ENOTSUP : error;
}

}  // namespace dwcp::io

#endif  // DWCP_URING
