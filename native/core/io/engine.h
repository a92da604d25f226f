// The I/O engine of one thread: a table of connections over a backend. `collect` turns what
// happened into rows, `settle` carries out commands and sends; between the two the rows' memory
// stays. Nothing here blocks, and nothing is unbounded: memory by the slab budget, connections by
// the table, rows by the span given to `collect`; what does not fit waits for the next one.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/io/backend.h"
#include "core/io/socket.h"
#include "core/io/table.h"

namespace dwcp::io {

enum class Tier : uint8_t { kEpoll = 0, kUring = 1 };

/// What a socket speaks.
struct Wire {
  bool framed = true;
  uint32_t tls = 0;  // number of the context, 0 in plaintext
};

struct EngineOptions {
  size_t budget_bytes = 64 << 20;
  size_t max_connections = 16384;
  /// How long a tick may receive, tell, or send, each; what is left over is done in the next.
  uint64_t tick_us = 1000;
};

class Engine final : public BackendSink {
 public:
  /// `sent` has a number for each slot: bytes the kernel took.
  Engine(RegionSource& regions, const EngineOptions& options, std::span<double> sent,
         Counters& counters);
  ~Engine() override;

  /// 0 or a negative errno.
  int start(Tier tier);
  int poll_fd() const { return backend_->poll_fd(); }

  /// The listener's id, from 1, or a negative errno; `address` becomes the bound one.
  int listen(sockaddr_storage& address, const SocketOptions& options, Wire wire);
  void unlisten(uint32_t id);
  /// 0 or a negative errno; a row of type kOpened or kClosed follows.
  int connect(const sockaddr_storage& address, const SocketOptions& options, Wire wire,
              uint32_t& slot, uint32_t& generation);
  /// The functions of OpenSSL; empty until somebody loads them.
  openssl::Library& openssl() { return openssl_; }
  /// The number of a context, from 1, for `Wire::tls` and `use_tls`.
  uint32_t add_tls(Shared<TlsContext> context);
  /// Sockets accepted from now on use another context.
  void use_tls(uint32_t listener, uint32_t tls);
  /// Forgets a context; sessions that have it keep it.
  void drop_tls(uint32_t tls);
  /// A slab for JavaScript to write payloads into; the one before is given up.
  SlabId stage();
  /// The connection, or null when that generation is gone.
  Connection* find(uint32_t slot, uint32_t generation);

  /// Handles what happened; returns the rows written.
  size_t collect(std::span<Row> rows);
  /// Gives up the rows of the last `collect`, then carries out commands.
  void settle(std::span<const Row> rows, std::span<const Command> commands);
  /// Carries out commands outside a batch.
  void execute(std::span<const Command> commands);
  /// True when `collect` has something to say without a wake-up.
  bool backlog() const { return !news_.empty() || !touched_.empty(); }
  /// Sockets and listeners that keep the process alive: not those from which nothing can come.
  size_t active() const { return open_count_ - left_count_ + listener_count_; }

  /// Called now and then: repairs a lost wake-up, frees memory that nobody else will, and looks
  /// whether the peers of connections that nobody reads are still there.
  /// Returns true when a wake-up was lost.
  bool watch();
  /// Ends everything and waits for the kernel; no other call may follow.
  void shut_down();

  SlabPool& pool() { return pool_; }

  void on_accept(Listener& listener, int fd) override;
  void on_connect(Connection& connection, int error) override;
  void on_receive(Connection& connection, const Piece& piece) override;
  void on_end(Connection& connection, int error) override;
  void on_sent(Connection& connection, size_t size, int error) override;
  void on_starved(Connection& connection) override;
  void on_idle(Connection& connection) override;

 private:
  class RowWriter;

  Connection* take_slot(int fd, bool framed);
  void give_back(Connection& connection);
  void list(Connection& connection);
  void touch(Connection& connection);
  bool tell(Connection& connection, RowWriter& rows);
  bool tell_tls(Connection& connection, RowWriter& rows);
  bool tell_secured(Connection& connection, RowWriter& rows);
  bool tell_fault(Connection& connection, RowWriter& rows);
  void tell_refused(Connection& connection, RowWriter& rows);
  bool secure(Connection& connection, uint32_t tls, const sockaddr_storage* to);
  void open_sealed(Connection& connection);
  size_t open_into(Connection& connection, std::span<uint8_t> into, int socket);
  void end_opening(Connection& connection, TlsStep step);
  void seal(Connection& connection);
  bool tell_input(Connection& connection, RowWriter& rows);
  bool tell_frames(Connection& connection, Piece& piece, RowWriter& rows);
  bool tell_unit(Connection& connection, ReadStep step, const Unit& unit, RowWriter& rows);
  bool pull(Connection& connection, RowWriter& rows);
  void count_in(Connection& connection, size_t size);
  size_t read_now(Connection& connection, std::span<uint8_t> into);
  bool tell_end(Connection& connection, RowWriter& rows);
  bool tell_closed(Connection& connection, RowWriter& rows);
  void tell_broken(Connection& connection, ErrorCode code, RowWriter& rows);
  void drop_input(Connection& connection);
  void finish(Connection& connection);
  void advance(Connection& connection);
  void end(Connection& connection, int error);
  void run(const Command& command);
  void run_on(Connection& connection, const Command& command);
  uint8_t* locate(const Command& command, size_t size);
  void send_frame(Connection& connection, const Command& command);
  void send_bytes(Connection& connection, const Command& command);
  void forward(Connection& connection, const Command& command);
  void relay(Connection& connection, const Command& command);
  void queue(Connection& connection, const Piece& piece);
  Piece moved_to_tail(Connection& connection, const Piece& piece);
  void starve(Connection& connection, SlabUse use);
  void feed(Connection& connection);
  void discard(Connection& connection);
  void shed_one(Listener& listener);
  void flush();
  void watch_unread();
  void look_after(Connection& connection, int events);
  void mark_left(Connection& connection, bool left);
  void revive_starved();
  size_t evict_overdue();
  size_t evict_fullest();
  void make_room(SlabUse use);
  size_t stuck_bytes() const;
  void relieve();
  void publish();

  openssl::Library openssl_;  // before everything that frees with it
  SlabPool pool_;
  SlabArena assembly_;
  SlabArena outgoing_;
  SlabArena sealed_;
  OpenSlab opened_;
  std::vector<Shared<TlsContext>> tls_;
  SlabId staging_ = kNoSlab;
  std::vector<uint32_t> kept_;  // by slab: how often JavaScript keeps it
  std::span<double> sent_;
  Counters& counters_;
  size_t max_connections_;
  TickBudget budget_;
  bool behind_ = false;  // the last `collect` could not tell everything
  std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> free_slots_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<Connection*> news_;
  std::vector<Connection*> turn_;  // those `collect` goes through
  std::vector<Connection*> touched_;
  std::vector<Connection*> starved_;
  std::vector<SlabId> lent_;                                // by row of the batch in hand
  std::vector<std::pair<uint32_t, uint32_t>> half_closed_;  // told of in it: slot, generation
  size_t open_count_ = 0;
  size_t left_count_ = 0;  // of them
  size_t listener_count_ = 0;
  uint64_t watches_ = 0;
  uint64_t collects_ = 0;
  uint64_t collects_seen_ = 0;
  bool was_pending_ = false;
  bool was_starving_ = false;
  bool revived_ = false;  // since the last look of the watchdog
  int spare_fd_ = -1;
};

}  // namespace dwcp::io
