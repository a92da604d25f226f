// Peers of the engine with sockets of their own, in plaintext and with TLS.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <vector>

#include "test/io_rig.h"
#include "test/tls_pair.h"

namespace dwcp::test {

/// A budget of 64 slabs, which few peers use up.
inline constexpr size_t kSmallBudget = 64 * kSlabSize;

/// A socket the engine knows nothing of, connected to `port`.
inline int dial(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_storage address;
  CHECK(read_address("127.0.0.1", port, address));
  const int result = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(sockaddr_in));
  CHECK(result == 0 || errno == EINPROGRESS);
  return fd;
}

/// Writes all of `bytes`, which the socket has room for once it is connected.
inline void write_all(int fd, std::span<const uint8_t> bytes) {
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
inline int looks_until(Rig& rig, const std::function<void(Row&)>& on_row,
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
inline std::vector<uint8_t> without_checksums(const Frames& frames) {
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
  SecurePeer(int fd, const Shared<TlsContext>& context, SlabPool& pool)
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

  void say(std::span<const uint8_t> bytes) { write_all(fd_, sealed(bytes)); }

  /// `bytes` as they leave.
  std::vector<uint8_t> sealed(std::span<const uint8_t> bytes) {
    end_.say(bytes);
    std::vector<uint8_t> out;
    do {
      CHECK(end_.tls.seal());
      const std::vector<uint8_t> more = end_.take();
      out.insert(out.end(), more.begin(), more.end());
    } while (!end_.tls.plain().empty());
    return out;
  }

  int fd() const { return fd_; }

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
inline Frames two_large() {
  Frames two;
  two.add(60'000);
  two.add(50'000);
  return two;
}

/// Counts frames of `two_large`, and refuses whatever else could come.
inline void count(Rig& rig, const Row& frame, size_t& frames) {
  CHECK(frame.length == (rig.bytes(frame)[0] == 1 ? 60'000 : 50'000));
  ++frames;
}

/// Greets who connects, and tells of frames.
inline void serve(Rig& rig, const Row& row, const std::function<void(const Row&)>& on_frame) {
  if (Rig::type(row) == RowType::kOpened) rig.greet(row);
  if (Rig::type(row) == RowType::kOpened || Rig::type(row) == RowType::kPreface) {
    rig.command(row, CommandType::kResume);
  }
  if (Rig::type(row) == RowType::kFrame) on_frame(row);
}

}  // namespace dwcp::test
