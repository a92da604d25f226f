// The memory budget of the engine, over both back ends: who begins more than fits takes turns, and
// who holds memory for nothing ends.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "test/io_rig.h"
#include "test/tls_pair.h"

using namespace dwcp::test;

namespace {

/// A socket the engine knows nothing of, connected to `port`.
int dial(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_storage address;
  CHECK(read_address("127.0.0.1", port, address));
  const int result = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(sockaddr_in));
  CHECK(result == 0 || errno == EINPROGRESS);
  return fd;
}

/// Writes all of `bytes`, which the socket has room for once it is connected.
void write_all(int fd, std::span<const uint8_t> bytes) {
  for (int tries = 0; !bytes.empty(); ++tries) {
    CHECK(tries < 5000);
    const ssize_t size = write(fd, bytes.data(), bytes.size());
    if (size > 0) bytes = bytes.subspan(static_cast<size_t>(size));
    if (size < 0) usleep(1000);
  }
}

/// Sockets that close with their test.
struct Sockets {
  ~Sockets() {
    for (const int fd : open) close(fd);
  }
  int add(uint16_t port) { return open.emplace_back(dial(port)); }

  std::vector<int> open;
};

/// Runs until `done`, while the watchdog looks every 200 turns; returns how often it did.
int looks_until(Rig& rig, const std::function<void(Row&)>& on_row,
                const std::function<bool()>& done) {
  int looks = 0;
  int turns = 0;
  rig.run(on_row, [&] {
    if (++turns % 200 == 0) {
      look(rig);
      ++looks;
    }
    return done();
  });
  return looks;
}

/// Frames as they are under TLS, which proves every byte.
std::vector<uint8_t> without_checksums(const Frames& frames) {
  std::vector<uint8_t> bytes = frames.bytes;
  size_t at = kPrefaceSize;
  for (const KeptFrame& frame : frames.frames) {
    std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(at + kCrcOffset), 4, uint8_t{0});
    at += kHeaderSize + frame.payload.size();
  }
  return bytes;
}

/// A peer of the engine with TLS on a socket of its own.
class SecurePeer {
 public:
  SecurePeer(int fd, const dwcp::Shared<TlsContext>& context, SlabPool& pool)
      : fd_(fd), end_(context, pool) {
    CHECK(end_.tls.dial({}));
  }

  /// Goes on with the handshake; true once it is over.
  bool shake() {
    std::array<uint8_t, 4096> bytes;
    for (ssize_t size; (size = read(fd_, bytes.data(), bytes.size())) > 0;) {
      end_.feed(std::span(bytes).first(static_cast<size_t>(size)));
    }
    CHECK(end_.advance() == TlsStep::kHungry);
    write_all(fd_, end_.take());
    return end_.tls.established();
  }

  void say(std::span<const uint8_t> bytes) {
    end_.say(bytes);
    CHECK(end_.tls.seal());
    write_all(fd_, end_.take());
  }

 private:
  int fd_;
  TlsEnd end_;
};

/// A part of what each of a crowd says; all are in the middle of a frame before any goes on.
struct Turns {
  static constexpr size_t kParts = 4;

  /// The next peer and its part; false after the last.
  bool next(size_t& peer, std::span<const uint8_t>& part) {
    if (taken == peers * kParts) return false;
    const size_t number = taken / peers;
    const size_t from = bytes.size() * number / kParts;
    part = bytes.subspan(from, bytes.size() * (number + 1) / kParts - from);
    peer = taken++ % peers;
    return true;
  }

  size_t peers;
  std::span<const uint8_t> bytes;
  size_t taken = 0;
};

/// Two frames that are each half of what the engine can put together in a slab.
Frames two_large() {
  Frames two;
  two.add(60'000);
  two.add(50'000);
  return two;
}

/// Counts frames of `two_large`, and refuses whatever else could come.
void count(Rig& rig, const Row& frame, size_t& frames) {
  CHECK(frame.length == (rig.bytes(frame)[0] == 1 ? 60'000 : 50'000));
  ++frames;
}

/// Greets who connects, and tells of frames.
void serve(Rig& rig, const Row& row, const std::function<void(const Row&)>& on_frame) {
  if (Rig::type(row) == RowType::kOpened) rig.greet(row);
  if (Rig::type(row) == RowType::kOpened || Rig::type(row) == RowType::kPreface) {
    rig.command(row, CommandType::kResume);
  }
  if (Rig::type(row) == RowType::kFrame) on_frame(row);
}

}  // namespace

TEST(peers_that_begin_frames_and_stop_hold_nobody_up_for_long) {
  on_both([](Tier tier) {
    EngineOptions options;
    options.budget_bytes = 8 << 20;
    Rig rig(tier, options);
    const uint16_t port = rig.listen(true);
    constexpr size_t kSlow = 100;
    constexpr size_t kBegun = 60'000;
    Frames begun;
    begun.add(65'536);
    begun.bytes.resize(8 + kHeaderSize + kBegun);
    Frames whole;
    whole.add(40'000);
    Sockets slow;
    for (size_t i = 0; i < kSlow; ++i) slow.add(port);
    size_t written = 0;
    int frames = 0;
    const auto on_row = [&](Row& row) { serve(rig, row, [&](const Row&) { ++frames; }); };
    rig.run(on_row, [&] {
      if (written < kSlow) write_all(slow.open[written++], begun.bytes);
      return written == kSlow;
    });
    Sockets good;
    for (int i = 0; i < 20; ++i) write_all(good.add(port), whole.bytes);
    CHECK(looks_until(rig, on_row, [&] { return frames == 20; }) <= 25);
    CHECK(rig.counters.evictions <= kSlow);
    CHECK(rig.counters.connections >= 20);
  });
}

TEST(peers_that_read_nothing_hold_nobody_up_for_long) {
  on_both([](Tier tier) {
    EngineOptions options;
    options.budget_bytes = 8 << 20;
    Rig rig(tier, options);
    const uint16_t port = rig.listen(true);
    Frames asking;
    asking.add(10);
    Sockets idle;
    for (int i = 0; i < 4; ++i) write_all(idle.add(port), asking.bytes);
    std::vector<Row> askers;
    int frames = 0;
    const std::vector<uint8_t> answer(60'000, 5);
    const auto on_row = [&](Row& row) {
      serve(rig, row, [&](const Row& from) {
        if (askers.size() < 4) {
          askers.push_back(from);
        } else {
          ++frames;
        }
      });
    };
    // What the kernel takes is not in the way; the rest is.
    rig.run(on_row, [&] {
      const bool stuck = rig.engine.pool().used() > 40;
      if (!stuck && askers.size() == 4) {
        for (const Row& asker : askers) rig.send_frame(asker, 1, answer);
      }
      return stuck;
    });
    Sockets good;
    for (int i = 0; i < 20; ++i) write_all(good.add(port), asking.bytes);
    CHECK(looks_until(rig, on_row, [&] { return frames == 20; }) <= 10);
    CHECK(rig.counters.evictions <= 4);
  });
}

TEST(a_crowd_whose_frames_pass_the_budget_takes_turns_and_loses_nobody) {
  on_both([](Tier tier) {
    EngineOptions options;
    options.budget_bytes = 8 << 20;
    Rig rig(tier, options);
    const uint16_t port = rig.listen(true);
    const Frames two = two_large();
    Turns turns{.peers = 400, .bytes = two.bytes};
    Sockets crowd;
    for (size_t i = 0; i < turns.peers; ++i) crowd.add(port);
    size_t frames = 0;
    const auto on_row = [&](Row& row) {
      CHECK(Rig::type(row) != RowType::kClosed && Rig::type(row) != RowType::kBroken);
      serve(rig, row, [&](const Row& frame) { count(rig, frame, frames); });
    };
    rig.run(on_row, [&] {
      size_t peer = 0;
      std::span<const uint8_t> part;
      const bool more = turns.next(peer, part);
      if (more) write_all(crowd.open[peer], part);
      return !more;
    });
    CHECK(looks_until(rig, on_row, [&] { return frames == 2 * turns.peers; }) <= 25);
    CHECK(rig.counters.evictions == 0);
    CHECK(rig.counters.regions <= 4);
    CHECK(rig.counters.bytes_in == static_cast<double>(turns.peers * two.bytes.size()));
  });
}

TEST(a_crowd_with_tls_whose_frames_pass_the_budget_takes_turns_and_loses_nobody) {
  if (!has_openssl()) return;
  on_both([](Tier tier) {
    const auto context = tls_context();
    TlsHeap heap;
    SlabPool memory(heap, 256 << 20);
    EngineOptions options;
    options.budget_bytes = 8 << 20;
    Rig rig(tier, options);
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
