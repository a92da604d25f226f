// One direction of the emulated path: what a packet meets between two TUN devices. A virtual clock
// stands for the line, a queue limit for the router before it, and every random choice comes from a
// seed. Packets keep their order, jitter included, unless `reorder` lets one go ahead.
#pragma once

#include <cstdint>
#include <queue>
#include <random>
#include <vector>

struct PathOptions {
  double rate_bits = 0;  // of the line, per second
  double delay_ns = 0;   // one way
  double jitter_ns = 0;  // up to this much more, uniform
  double loss = 0;       // share of packets, 0 to 1
  double reorder = 0;    // share of packets that take half the delay
  double queue_bytes = 0;
  uint64_t seed = 1;
};

struct PathCounters {
  uint64_t packets = 0;
  uint64_t lost = 0;     // at random
  uint64_t dropped = 0;  // at the end of a full queue
  uint64_t reordered = 0;
};

class Direction {
 public:
  explicit Direction(const PathOptions& options) : options_(options), random_(options.seed) {}

  /// Takes a packet that was read at `now`; it may be lost.
  void take(const char* packet, size_t size, uint64_t now);
  /// The time at which the next packet leaves, or 0 when none waits.
  uint64_t next_departure() const { return packets_.empty() ? 0 : packets_.top()->departs; }
  /// Writes what departed by `now` to `fd`.
  void deliver(int fd, uint64_t now);
  const PathCounters& counters() const { return counters_; }

 private:
  struct Packet {
    uint64_t departs;
    uint64_t number;
    std::vector<char> bytes;
  };
  struct Later {
    bool operator()(const Packet* a, const Packet* b) const {
      return a->departs != b->departs ? a->departs > b->departs : a->number > b->number;
    }
  };

  double chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  PathOptions options_;
  std::mt19937_64 random_;
  PathCounters counters_;
  std::priority_queue<Packet*, std::vector<Packet*>, Later> packets_;
  std::vector<Packet*> spare_;
  uint64_t line_free_ = 0;
  uint64_t last_departure_ = 0;
  uint64_t number_ = 0;
};
