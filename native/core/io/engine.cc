// The life of sockets: listeners, slots, what the backend reports, and the end. See engine.h.
#include "core/io/engine.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/io/epoll_backend.h"
#include "core/io/uring_backend.h"

namespace dwcp::io {
namespace {

/// Under TLS there are frames: at the memory budget plain bytes have nowhere else to go.
bool is_spoken(const Wire& wire) { return wire.framed || wire.tls == 0; }

}  // namespace

Engine::Engine(RegionSource& regions, const EngineOptions& options, std::span<double> sent,
               Counters& counters)
    : pool_(regions, options.budget_bytes),
      assembly_(pool_, SlabUse::kAssembly),
      outgoing_(pool_, SlabUse::kSend),
      sealed_(pool_, SlabUse::kSend),
      opened_(pool_),
      sent_(sent),
      counters_(counters),
      max_connections_(std::min(options.max_connections, sent.size())),
      budget_(options.tick_us) {}

Engine::~Engine() {
  if (spare_fd_ >= 0) close(spare_fd_);
}

int Engine::start(Tier tier) {
  int error = 0;
  if (tier == Tier::kUring) {
#if DWCP_URING
    auto backend = std::make_unique<UringBackend>(*this, pool_, budget_);
    error = backend->start();
    backend_ = std::move(backend);
#else
    return -ENOSYS;
#endif
  } else {
    auto backend = std::make_unique<EpollBackend>(*this, pool_, budget_);
    error = backend->start();
    backend_ = std::move(backend);
  }
  spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return error;
}

int Engine::listen(sockaddr_storage& address, const SocketOptions& options, Wire wire) {
  if (!is_spoken(wire)) return -EINVAL;
  const int fd = open_listener(address, options, backend_->nonblocking());
  if (fd < 0) return fd;
  auto free = std::find_if(listeners_.begin(), listeners_.end(), [](const auto& known) {
    return !known || (known->closing && known->operations == 0);
  });
  if (free == listeners_.end()) free = listeners_.insert(free, nullptr);
  *free = std::make_unique<Listener>();
  const auto id = static_cast<uint32_t>(free - listeners_.begin() + 1);
  Listener& listener = **free;
  listener.id = id;
  listener.fd = fd;
  listener.framed = wire.framed;
  listener.tls = wire.tls;
  ++listener_count_;
  backend_->listen(listener);
  backend_->submit();
  return static_cast<int>(id);
}

void Engine::unlisten(uint32_t id) {
  if (id == 0 || id > listeners_.size() || !listeners_[id - 1]) return;
  Listener& listener = *listeners_[id - 1];
  if (listener.closing) return;
  listener.closing = true;
  --listener_count_;
  backend_->unlisten(listener);
  backend_->submit();
  if (listener.fd >= 0) close(std::exchange(listener.fd, -1));
  if (listener.operations == 0) listeners_[id - 1].reset();
}

int Engine::connect(const sockaddr_storage& address, const SocketOptions& options, Wire wire,
                    uint32_t& slot, uint32_t& generation) {
  if (!is_spoken(wire)) return -EINVAL;
  const int fd = open_dialer(address, options, backend_->nonblocking());
  if (fd < 0) return fd;
  Connection* connection = take_slot(fd, wire.framed);
  if (connection == nullptr) {
    close(fd);
    return -EMFILE;
  }
  if (wire.tls != 0 && !secure(*connection, wire.tls, &address)) {
    give_back(*connection);
    return -EPROTO;
  }
  connection->phase = Phase::kConnecting;
  slot = connection->slot;
  generation = connection->generation;
  backend_->connect(*connection, address);
  backend_->submit();
  return 0;
}

SlabId Engine::stage() {
  SlabId next = pool_.acquire(SlabUse::kSend);
  while (next == kNoSlab && evict_fullest() > 0) next = pool_.acquire(SlabUse::kSend);
  if (next == kNoSlab) return kNoSlab;
  if (staging_ != kNoSlab) pool_.release(staging_);
  staging_ = next;
  publish();
  return next;
}

Connection* Engine::find(uint32_t slot, uint32_t generation) {
  if (slot >= connections_.size()) return nullptr;
  Connection* connection = connections_[slot].get();
  return connection->generation == generation && connection->live() ? connection : nullptr;
}

bool Engine::watch() {
  ++watches_;
  // Pending at two looks, with a turn of the loop between them in which nobody was woken.
  const bool pending = backend_->pending();
  const bool lost = pending && was_pending_ && collects_ == collects_seen_;
  was_pending_ = pending;
  collects_seen_ = collects_;
  if (lost) counters_.lost_wakes += 1;
  const size_t staged = staging_ != kNoSlab && pool_.sole_user(staging_) ? 1 : 0;
  const size_t standing = backend_->standing() + assembly_.standing() + outgoing_.standing() +
                          sealed_.standing() + staged;
  counters_.slabs_held = static_cast<double>(pool_.used() - standing);
  relieve();
  revive_starved();
  watch_unread();
  backend_->submit();
  return lost;
}

void Engine::shut_down() {
  for (size_t id = 1; id <= listeners_.size(); ++id) unlisten(static_cast<uint32_t>(id));
  for (const auto& connection : connections_) {
    if (connection->live()) end(*connection, ECANCELED);
  }
  if (backend_) backend_->shut_down();
  for (const auto& connection : connections_) {
    if (connection->fd >= 0) close(std::exchange(connection->fd, -1));
  }
}

Connection* Engine::take_slot(int fd, bool framed) {
  if (free_slots_.empty()) {
    if (connections_.size() >= max_connections_) return nullptr;
    free_slots_.push_back(static_cast<uint32_t>(connections_.size()));
    connections_.push_back(std::make_unique<Connection>());
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Connection& connection = *connections_[slot];
  const uint32_t generation = connection.generation + 1;
  connection = Connection{};
  connection.slot = slot;
  connection.generation = generation;
  connection.fd = fd;
  connection.framed = framed;
  sent_[slot] = 0;
  ++open_count_;
  return &connection;
}

/// Undoes `take_slot` for a socket nothing was begun with.
void Engine::give_back(Connection& connection) {
  close(std::exchange(connection.fd, -1));
  connection.tls.reset();
  free_slots_.push_back(connection.slot);
  --open_count_;
}

void Engine::on_accept(Listener& listener, int fd) {
  if (fd == -EMFILE || fd == -ENFILE) return shed_one(listener);
  if (fd < 0) {
    counters_.accept_failures += 1;
    return;
  }
  Connection* connection = listener.closing ? nullptr : take_slot(fd, listener.framed);
  if (connection == nullptr) {
    counters_.accept_failures += 1;
    close(fd);
    return;
  }
  if (listener.tls != 0 && !secure(*connection, listener.tls, nullptr)) {
    counters_.accept_failures += 1;
    return give_back(*connection);
  }
  counters_.accepted += 1;
  connection->phase = Phase::kOpen;
  connection->listener = listener.id;
  connection->opened_news = true;
  list(*connection);
  if (connection->tls) backend_->receive(*connection);
}

/// Out of descriptors: takes the next socket in with the spare one and closes it, or it would wait
/// in the queue for ever and wake us each time.
void Engine::shed_one(Listener& listener) {
  counters_.accept_failures += 1;
  if (spare_fd_ >= 0) close(std::exchange(spare_fd_, -1));
  pollfd waiting{listener.fd, POLLIN, 0};
  if (::poll(&waiting, 1, 0) > 0) {
    const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
  }
  spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void Engine::on_connect(Connection& connection, int error) {
  if (!connection.live()) return;
  if (error != 0) {
    connection.error = error;
    connection.ended = true;
  } else {
    connection.phase = Phase::kOpen;
    connection.opened_news = true;
    if (connection.tls) backend_->receive(connection);
  }
  list(connection);
}

void Engine::count_in(Connection& connection, size_t size) {
  counters_.bytes_in += static_cast<double>(size);
  connection.received_bytes += size;
}

void Engine::on_receive(Connection& connection, const Piece& piece) {
  count_in(connection, piece.size);
  if (!connection.live() || connection.fin_sent || connection.broken) {
    pool_.release(piece.slab);
    return;
  }
  if (connection.tls) {
    connection.tls->feed(piece);
  } else {
    connection.input.push_back(piece);
  }
  list(connection);
}

void Engine::on_end(Connection& connection, int error) {
  if (!connection.live() || connection.ended) return;
  connection.ended = true;
  connection.ended_news = error == 0;
  connection.error = error;
  list(connection);
}

void Engine::on_sent(Connection& connection, size_t size, int error) {
  if (size > 0) {
    connection.output.consume(pool_, size);
    connection.sent_bytes += size;
    if (connection.tls) {
      seal(connection);
    } else {
      sent_[connection.slot] = static_cast<double>(connection.sent_bytes);
    }
    counters_.bytes_out += static_cast<double>(size);
    if (connection.output.empty()) connection.tail.reset();
  }
  if (!connection.live()) return;
  if (error != 0) {
    connection.ended = true;
    if (connection.error == 0) connection.error = error;
    return list(connection);
  }
  if (connection.want_writable && connection.queued_bytes() <= connection.writable_below) {
    connection.want_writable = false;
    connection.writable_news = true;
    list(connection);
  }
  if (connection.phase == Phase::kFinishing && connection.output.empty()) list(connection);
}

void Engine::on_idle(Connection& connection) {
  if (connection.phase != Phase::kEnding || connection.closed_news) return;
  close(std::exchange(connection.fd, -1));
  connection.output.clear(pool_);
  connection.tls.reset();
  connection.tail.reset();
  connection.closed_news = true;
  list(connection);
}

void Engine::list(Connection& connection) {
  if (connection.listed) return;
  connection.listed = true;
  news_.push_back(&connection);
}

void Engine::touch(Connection& connection) {
  if (connection.touched) return;
  connection.touched = true;
  touched_.push_back(&connection);
}

void Engine::finish(Connection& connection) {
  if (connection.phase != Phase::kOpen) return;
  connection.phase = Phase::kFinishing;
  connection.paused = false;
  mark_left(connection, false);
  drop_input(connection);
  connection.reader.reset(pool_);
  list(connection);
}

/// Goes on with an orderly close: FIN once all is sent, the end once the peer's FIN is here.
void Engine::advance(Connection& connection) {
  if (connection.phase != Phase::kFinishing) return;
  if (connection.tls && !connection.fin_sent) {
    seal(connection);
    if (connection.tls->plain().empty()) connection.tls->close_notify();
    if (!connection.output.empty()) touch(connection);
  }
  if (connection.queued_bytes() == 0 && !connection.fin_sent) {
    connection.fin_sent = true;
    shutdown(connection.fd, SHUT_WR);
  }
  if (connection.fin_sent && connection.ended) {
    end(connection, 0);
  } else {
    backend_->receive(connection);
  }
}

void Engine::end(Connection& connection, int error) {
  if (!connection.live()) return;
  connection.phase = Phase::kEnding;
  connection.error = error;
  feed(connection);
  drop_input(connection);
  connection.reader.reset(pool_);
  backend_->cancel(connection);
}

void Engine::drop_input(Connection& connection) {
  for (size_t i = connection.input_first; i < connection.input.size(); ++i) {
    pool_.release(connection.input[i].slab);
  }
  connection.input.clear();
  connection.input_first = 0;
  if (connection.tls) connection.tls->drop_input();
}

void Engine::publish() {
  counters_.regions = static_cast<double>(pool_.regions());
  counters_.slabs = static_cast<double>(pool_.slabs());
  counters_.slabs_used = static_cast<double>(pool_.used());
  counters_.slab_refusals = static_cast<double>(pool_.refusals());
  counters_.connections = static_cast<double>(open_count_);
}

}  // namespace dwcp::io
