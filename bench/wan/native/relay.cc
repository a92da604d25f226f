// relay NAME=VALUE...: two network namespaces and the path between them. Prints one line of JSON
// that says where the namespaces are, relays until standard input ends, then prints what happened
// to the packets.
//   rate=BITS/S delay=MS jitter=MS loss=SHARE reorder=SHARE queue=BYTES seed=N
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "direction.h"
#include "namespace.h"

namespace {

constexpr uint64_t kMaxWaitNs = 5'000'000;
constexpr int kBurst = 64;

std::atomic<bool> stopped{false};

uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

/// Waits for a packet, for the next departure, or a little.
void wait(int fd, const Direction& direction) {
  uint64_t wait_ns = kMaxWaitNs;
  if (const uint64_t next = direction.next_departure(); next != 0) {
    const uint64_t now = now_ns();
    wait_ns = next <= now ? 0 : std::min(wait_ns, next - now);
  }
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(wait_ns)};
  ppoll(&poll, 1, &time, nullptr);
}

void run(Direction& direction, int in, int out) {
  char packet[65536];
  while (!stopped) {
    wait(in, direction);
    const uint64_t now = now_ns();
    for (int i = 0; i < kBurst; ++i) {
      const ssize_t size = read(in, packet, sizeof packet);
      if (size <= 0) break;
      direction.take(packet, static_cast<size_t>(size), now);
    }
    direction.deliver(out, now_ns());
  }
}

double number_of(int count, char** words, const std::string& name) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word.rfind(name + "=", 0) == 0) return std::atof(word.c_str() + name.size() + 1);
  }
  return 0;
}

PathOptions options_of(int count, char** words, uint64_t way) {
  const auto number = [&](const char* name) { return number_of(count, words, name); };
  return {.rate_bits = number("rate"),
          .delay_ns = number("delay") * 1e6,
          .jitter_ns = number("jitter") * 1e6,
          .loss = number("loss"),
          .reorder = number("reorder"),
          .queue_bytes = number("queue"),
          .seed = static_cast<uint64_t>(number("seed")) * 2 + way};
}

void print(const char* name, const PathCounters& counters, const char* end) {
  std::printf("\"%s\":{\"packets\":%lu,\"lost\":%lu,\"dropped\":%lu,\"reordered\":%lu}%s", name,
              counters.packets, counters.lost, counters.dropped, counters.reordered, end);
}

}  // namespace

int main(int count, char** words) {
  const Namespace near = make_namespace("10.99.0.1");
  const Namespace far = make_namespace("10.99.0.2");
  Direction there(options_of(count, words, 0));
  Direction back(options_of(count, words, 1));
  std::thread first([&] { run(there, near.tun, far.tun); });
  std::thread second([&] { run(back, far.tun, near.tun); });
  std::printf("{\"near\":\"/proc/%d/fd/%d\",\"far\":\"/proc/%d/fd/%d\"}\n", getpid(), near.fd,
              getpid(), far.fd);
  std::fflush(stdout);
  char ignored[256];
  while (read(0, ignored, sizeof ignored) > 0) {
  }
  stopped = true;
  first.join();
  second.join();
  std::printf("{");
  print("there", there.counters(), ",");
  print("back", back.counters(), "}\n");
  return 0;
}
