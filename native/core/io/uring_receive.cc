// How the ring receives: into slabs lent to the kernel, or, where much comes for many at once, by
// reading whoever is ready. See uring_backend.h.
#include "core/io/uring_backend.h"

#if DWCP_URING

#include <poll.h>

#include <bit>
#include <cerrno>

namespace dwcp::io {
namespace {

/// Bytes that are much at once.
constexpr size_t kLarge = 16 * 1024;
/// Connections that receive so much in one poll before they are read one after the other: what each
/// has under way then fills the nearer caches many times over.
constexpr size_t kCrowd = 8;
/// A read of less is small; after so many in a row a connection is no longer one of the crowd.
constexpr size_t kSmall = 4 * 1024;
constexpr uint32_t kCalm = 32;

/// Events of a poll as the kernel takes them: on big-endian CPUs it has the halves of the word the
/// other way round.
constexpr uint32_t poll_events(uint32_t events) {
  return std::endian::native == std::endian::big ? std::rotl(events, 16) : events;
}

/// Whether a receive with this result may be begun again.
bool is_passing(int result) {
  return result == -ECANCELED || result == -EINTR || result == -EAGAIN;
}

}  // namespace

void UringBackend::receive(Connection& connection) {
  if (connection.wants_input() == connection.receiving) return;
  if (connection.receiving) return stop_receiving(connection);
  if (lent_ == 0) lend();
  // Without a slab it would be told that there is none, not that there is something to read.
  const bool watched = connection.bulk || lent_ == 0;
  if (watched) {
    auto& entry = prepare(Operation::kReady, IORING_OP_POLL_ADD, connection.fd, &connection);
    entry.poll32_events = poll_events(POLLIN | POLLRDHUP);
  } else {
    auto& entry = prepare(Operation::kReceive, IORING_OP_RECV, connection.fd, &connection);
    entry.ioprio = IORING_RECV_MULTISHOT;
    entry.flags = IOSQE_BUFFER_SELECT;
    entry.buf_group = kGroup;
  }
  connection.receiving = true;
  connection.watched = watched;
  ++connection.operations;
}

/// Asks once; the last completion comes, and then it is armed again if it is wanted again.
void UringBackend::stop_receiving(Connection& connection) {
  if (connection.stopping) return;
  connection.stopping = true;
  const auto operation = connection.watched ? Operation::kReady : Operation::kReceive;
  prepare_cancel(mark(&connection, operation), 0, &connection);
}

void UringBackend::received(Connection& connection, const io_uring_cqe& completion) {
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const SlabId slab = completion.flags >> IORING_CQE_BUFFER_SHIFT;
    const auto size = static_cast<uint32_t>(completion.res > 0 ? completion.res : 0);
    const uint32_t start = filled_[slab];
    filled_[slab] += size;
    if (size > 0) {
      pool_.retain(slab);
      sink_.on_receive(connection, {slab, pool_.data(slab) + start, size});
    }
    if ((completion.flags & kBufferMore) == 0) {
      --lent_;
      is_lent_[slab] = false;
      pool_.release(slab);
    }
    take_note(connection, size);
  }
  if ((completion.flags & IORING_CQE_F_MORE) == 0) receive_over(connection, completion.res);
}

void UringBackend::receive_over(Connection& connection, int result) {
  connection.receiving = false;
  connection.stopping = false;
  if (result == 0) {
    sink_.on_end(connection, 0);
  } else if (result == -ENOBUFS) {
    // The kernel came faster than slabs go back: lend it more from now on.
    if (wanted_ < kMostLent && wanted_ < pool_.budget_slabs() / 8) wanted_ *= 2;
    lend();
    if (lent_ == 0) sink_.on_starved(connection);
  } else if (result < 0 && !is_passing(result)) {
    sink_.on_end(connection, -result);
  }
  if (connection.live()) receive(connection);
}

/// Whether a connection that received `size` bytes is one of a crowd.
void UringBackend::take_note(Connection& connection, size_t size) {
  if (size < kLarge || connection.large_since == polls_) return;
  connection.large_since = polls_;
  if (++large_ < kCrowd || !connection.live()) return;
  connection.bulk = true;
  connection.small_reads = 0;
  if (connection.receiving) stop_receiving(connection);
}

void UringBackend::ready(Connection& connection, int result) {
  connection.receiving = false;
  connection.stopping = false;
  if (result < 0 && !is_passing(result)) sink_.on_end(connection, -result);
  if (result > 0 && connection.live() && connection.wants_input()) read_once(connection);
  if (connection.live()) receive(connection);
}

void UringBackend::read_once(Connection& connection) {
  const size_t size = reads_.read(connection, sink_);
  if (size == 0) return;
  budget_.charge(size);
  connection.small_reads = size < kSmall ? connection.small_reads + 1 : 0;
  if (connection.small_reads >= kCalm) connection.bulk = false;
}

size_t UringBackend::standing() const {
  size_t count = reads_.standing();
  for (SlabId slab = 0; slab < is_lent_.size(); ++slab) {
    if (is_lent_[slab] && pool_.sole_user(slab)) ++count;
  }
  return count;
}

/// Keeps the kernel supplied with slabs.
void UringBackend::lend() {
  bool added = false;
  while (lent_ < wanted_) {
    const SlabId slab = pool_.acquire(SlabUse::kReceive);
    if (slab == kNoSlab) break;
    if (slab >= filled_.size()) filled_.resize(pool_.slabs(), 0);
    is_lent_.resize(filled_.size(), false);
    filled_[slab] = 0;
    buffers_.add(pool_.data(slab), kSlabSize, static_cast<uint16_t>(slab));
    ++lent_;
    is_lent_[slab] = true;
    added = true;
  }
  if (added) buffers_.publish();
}

}  // namespace dwcp::io

#endif  // DWCP_URING
