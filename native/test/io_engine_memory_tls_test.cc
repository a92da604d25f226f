// The memory budget of the engine with TLS, over both back ends, and what becomes of peers when all
// of it is in use.
#include <sys/socket.h>

#include <memory>

#include "test/io_peers.h"

using namespace dwcp::test;

namespace {

/// An engine with TLS, whose memory can be used up, and memory for its peers.
struct Tight {
  explicit Tight(Tier tier) : rig(tier, {.budget_bytes = kSmallBudget, .tick_us = 100'000}) {
    port = rig.listen(true, rig.engine.add_tls(context));
  }

  /// Takes slabs until nothing can be received into one, as an application that keeps messages
  /// would, `count` in all.
  void keep(size_t count) {
    SlabPool& pool = rig.engine.pool();
    while (pool.used() < count) CHECK(pool.acquire(SlabUse::kSend) != kNoSlab);
    // Those that are open to be received into fill up and are not used again.
    for (SlabId slab = 0; slab < pool.slabs(); ++slab) {
      if (pool.in_use(slab)) pool.retain(slab);
    }
  }

  /// Does what an application does with its peers, and counts their frames.
  void on_row(Row& row) {
    type = Rig::type(row);
    if (type == RowType::kSecured) rig.greet(row);
    if (type == RowType::kSecured || type == RowType::kPreface) {
      rig.command(row, CommandType::kResume);
    }
    if (type == RowType::kFrame) ++frames;
    if (type == RowType::kClosed) error = static_cast<int>(row.flags);
  }

  void run(const std::function<bool()>& done) {
    rig.run([this](Row& row) { on_row(row); }, done);
  }

  void turn(int turns) {
    run([&] {
      usleep(50);
      return --turns < 0;
    });
  }

  const dwcp::Shared<TlsContext> context = tls_context();
  TlsHeap heap;
  SlabPool memory{heap, 256 << 20};
  Rig rig;
  uint16_t port;
  RowType type = RowType::kOpened;  // of the last row
  size_t frames = 0;
  int error = 0;
};

/// A peer whose frames came, one by one, after all that the engine could receive into was used up.
struct Served {
  explicit Served(Tight& tight)
      : tight(tight), peer(sockets.add(tight.port), tight.context, tight.memory) {
    tight.run([&] { return peer.shake(); });
    tight.turn(50);
    tight.keep(kSmallBudget / kSlabSize / 2 + 1);
    Frames made;
    for (size_t i = 0; i < kFrames; ++i) made.add(kFrame);
    const std::vector<uint8_t> bytes = without_checksums(made);
    peer.say(std::span(bytes).first(kPrefaceSize));
    for (size_t i = 0; i < kFrames; ++i) {
      peer.say(std::span(bytes).subspan(kPrefaceSize + i * (kHeaderSize + kFrame),
                                        kHeaderSize + kFrame));
      tight.run([&] { return tight.frames == i + 1; });
    }
    CHECK(!tight.rig.engine.pool().available(SlabUse::kReceive));
  }

  static constexpr size_t kFrames = 200;
  static constexpr size_t kFrame = 6000;

  Tight& tight;
  Sockets sockets;
  SecurePeer peer;
};

}  // namespace

TEST(a_crowd_with_tls_whose_frames_pass_the_budget_takes_turns_and_loses_nobody) {
  if (!has_openssl()) return;
  on_both([](Tier tier) {
    const auto context = tls_context();
    TlsHeap heap;
    SlabPool memory(heap, 256 << 20);
    Rig rig(tier, {.budget_bytes = kSmallBudget});
    const uint16_t port = rig.listen(true, rig.engine.add_tls(context));
    const std::vector<uint8_t> two = without_checksums(two_large());
    Turns turns{.peers = 200, .bytes = two};
    Sockets crowd;
    std::vector<std::unique_ptr<SecurePeer>> peers;
    for (size_t i = 0; i < turns.peers; ++i) {
      peers.push_back(std::make_unique<SecurePeer>(crowd.add(port), context, memory));
    }
    size_t frames = 0;
    const auto on_row = [&](Row& row) {
      const RowType type = Rig::type(row);
      CHECK(type != RowType::kClosed && type != RowType::kBroken && type != RowType::kRefused);
      if (type == RowType::kOpened) return;
      if (type == RowType::kSecured) rig.command(row, CommandType::kResume);
      serve(rig, row, [&](const Row& frame) { count(rig, frame, frames); });
    };
    size_t shaken = 0;
    rig.run(on_row, [&] {
      while (shaken < peers.size() && peers[shaken]->shake()) ++shaken;
      return shaken == peers.size();
    });
    rig.run(on_row, [&] {
      size_t peer = 0;
      std::span<const uint8_t> part;
      const bool more = turns.next(peer, part);
      if (more) peers[peer]->say(part);
      return !more;
    });
    CHECK(looks_until(rig, on_row, [&] { return frames == 2 * turns.peers; }) <= 25);
    CHECK(rig.counters.evictions == 0);
    CHECK(rig.counters.regions <= 4);
  });
}

TEST(a_quiet_connection_costs_no_turns_while_memory_is_used_up) {
  if (!has_openssl()) return;
  on_both([](Tier tier) {
    Tight tight(tier);
    Served served(tight);
    tight.turn(50);
    int busy = 0;
    int turns = 500;
    tight.run([&] {
      busy += tight.rig.engine.backlog() ? 1 : 0;
      return --turns == 0;
    });
    CHECK(busy <= 5);
  });
}

TEST(the_end_of_a_peer_is_told_as_it_was_while_memory_is_used_up) {
  if (!has_openssl()) return;
  on_both([](Tier tier) {
    for (const bool reset : {true, false}) {
      Tight tight(tier);
      Served served(tight);
      const int fd = served.peer.fd();
      std::array<uint8_t, 4096> unread;
      while (read(fd, unread.data(), unread.size()) > 0) {
      }
      if (reset) {
        const linger now{1, 0};
        CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
        close(fd);
        served.sockets.open.clear();
      } else {
        shutdown(fd, SHUT_WR);
      }
      const RowType end = reset ? RowType::kClosed : RowType::kEnded;
      tight.run([&] { return tight.type == end; });
      CHECK(tight.error == (reset ? ECONNRESET : 0));
    }
  });
}

TEST(frames_right_behind_a_handshake_come_while_memory_is_used_up) {
  if (!has_openssl()) return;
  on_both([](Tier tier) {
    Tight tight(tier);
    Sockets sockets;
    SecurePeer peer(sockets.add(tight.port), tight.context, tight.memory);
    peer.shake();
    tight.turn(100);
    tight.keep(kSmallBudget / kSlabSize / 2 + 1);
    constexpr size_t kFrames = 60;
    Frames made;
    for (size_t i = 0; i < kFrames; ++i) made.add(30'000);
    CHECK(peer.shake());
    const std::vector<uint8_t> bytes = peer.sealed(without_checksums(made));
    size_t sent = 0;
    tight.run([&] {
      const ssize_t size = write(peer.fd(), bytes.data() + sent, bytes.size() - sent);
      if (size > 0) sent += static_cast<size_t>(size);
      return tight.frames == kFrames;
    });
  });
}

TEST(slow_frames_end_when_others_wait_to_receive) {
  if (!has_openssl()) return;
  on_both([](Tier tier) {
    Tight tight(tier);
    const uint16_t plain = tight.rig.listen(true);
    bool secured = false;
    const auto on_row = [&](Row& row) {
      if (Rig::type(row) == RowType::kOpened) tight.rig.command(row, CommandType::kResume);
      secured |= Rig::type(row) == RowType::kSecured;
      tight.on_row(row);
      // The application keeps whatever comes.
      row.slab = kNoSlab;
    };
    Sockets slow;
    Frames begun;
    begun.add(65'536);
    begun.bytes.resize(kPrefaceSize + kHeaderSize + 10);
    constexpr size_t kSlow = 50;
    for (size_t i = 0; i < kSlow; ++i) {
      write_all(slow.add(plain), begun.bytes);
      int turns = 20;
      tight.rig.run(on_row, [&] { return --turns == 0; });
    }
    Sockets sockets;
    const int fd = sockets.add(plain);
    Frames next;
    next.add(6000);
    std::span<const uint8_t> bytes(next.bytes);
    SlabPool& pool = tight.rig.engine.pool();
    // Until nothing can be received into, what is open for it neither.
    for (size_t sent = 0, after = 0; after < kSlabSize / 6000; ++sent) {
      write_all(fd, bytes);
      bytes = std::span(next.bytes).subspan(kPrefaceSize);
      tight.rig.run(on_row, [&] { return tight.frames == sent + 1; });
      after += pool.available(SlabUse::kReceive) ? 0 : 1;
    }
    CHECK(pool.available(SlabUse::kAssembly));
    SecurePeer peer(sockets.add(tight.port), tight.context, tight.memory);
    const auto shaken = [&] { return peer.shake() && secured; };
    CHECK(looks_until(tight.rig, on_row, shaken) <= 40);
    CHECK(tight.rig.counters.evictions <= kSlow);
  });
}
