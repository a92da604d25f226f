// What machines and peers do to the engine, over both back ends: no time, no memory, nobody there.
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <numeric>

#include "test/io_rig.h"

using namespace dwcp::test;

namespace {

using Seconds = std::chrono::duration<double>;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

/// A pair of open connections, neither of which receives.
struct Pair {
  explicit Pair(Rig& rig) {
    client = rig.connect(rig.listen(false), false);
    int opened = 0;
    rig.run(
        [&](Row& row) {
          CHECK(Rig::type(row) == RowType::kOpened);
          if (row.slot != client.slot) server = row;
          ++opened;
        },
        [&] { return opened == 2; });
  }

  Row client{};
  Row server{};
};

}  // namespace

TEST(a_tick_without_time_leaves_the_rest_for_the_next_and_loses_nothing) {
  on_both([](Tier tier) {
    EngineOptions options;
    options.tick_us = 0;
    Rig rig(tier, options);
    const uint16_t port = rig.listen(true);
    constexpr uint32_t kClients = 50;
    constexpr uint32_t kFrames = 20;
    for (uint32_t i = 0; i < kClients; ++i) rig.connect(port, true);
    const std::vector<uint8_t> payload(30'000, 3);
    std::vector<uint32_t> next(2048);
    std::vector<bool> is_server(2048);
    uint32_t received = 0;
    size_t in_turn = 0;
    size_t most = 0;
    rig.run(
        [&](Row& row) {
          if (Rig::type(row) == RowType::kOpened) {
            is_server[row.slot] = row.length > 0;
            rig.greet(row);
            rig.command(row, CommandType::kResume);
          } else if (Rig::type(row) == RowType::kPreface) {
            rig.command(row, CommandType::kResume);
            if (is_server[row.slot]) return;
            for (uint32_t i = 0; i < kFrames; ++i) rig.send_frame(row, i, payload);
          } else if (Rig::type(row) == RowType::kFrame) {
            CHECK(row.stream == next[row.slot]++);
            ++received;
            most = std::max(most, ++in_turn);
          }
        },
        [&] {
          in_turn = 0;
          return received == kClients * kFrames;
        });
    // A clock that always says it is time: a piece or two, then the loop has its turn.
    CHECK(most <= 16);
    CHECK(held_slabs(rig) == 0);
  });
}

TEST(buffers_that_run_out_stop_all_readers_and_lose_nothing) {
  on_both([](Tier tier) {
    EngineOptions options;
    options.budget_bytes = 2 << 20;
    Rig rig(tier, options);
    const uint16_t port = rig.listen(false);
    constexpr uint32_t kClients = 20;
    constexpr size_t kBytes = 400'000;
    std::vector<Row> clients;
    for (uint32_t i = 0; i < kClients; ++i) clients.push_back(rig.connect(port, false));
    std::vector<size_t> heard(2048);
    std::vector<size_t> said(2048);
    std::vector<SlabId> kept;
    bool keeping = true;
    int quiet = 0;
    size_t before = 0;
    const auto total = [&] { return std::accumulate(heard.begin(), heard.end(), size_t{0}); };
    const auto let_go = [&] {
      for (const SlabId slab : std::exchange(kept, {})) {
        rig.command(clients[0], CommandType::kRelease);
        rig.commands.back().slab = slab;
      }
    };
    const auto talk = [&] {
      for (const Row& client : clients) {
        const Connection* connection = rig.engine.find(client.slot, client.generation);
        CHECK(connection != nullptr);
        if (connection->output.bytes() > 10'000 || said[client.slot] == kBytes) continue;
        std::string bytes(10'000, 0);
        for (char& byte : bytes) byte = static_cast<char>(said[client.slot]++ % 251);
        rig.send_bytes(client, bytes);
      }
    };
    const auto on_row = [&](Row& row) {
      if (Rig::type(row) == RowType::kOpened) rig.command(row, CommandType::kResume);
      if (Rig::type(row) != RowType::kChunk) return;
      for (const uint8_t byte : rig.bytes(row)) CHECK(byte == heard[row.slot]++ % 251);
      if (keeping) kept.push_back(std::exchange(row.slab, kNoSlab));
    };
    rig.run(on_row, [&] {
      talk();
      quiet = total() == before ? quiet + 1 : 0;
      before = total();
      return quiet > 300 && before > 0;
    });
    CHECK(total() < kClients * kBytes);
    CHECK(rig.counters.slab_refusals > 0);
    keeping = false;
    let_go();
    rig.run(on_row, [&] {
      talk();
      return total() == kClients * kBytes;
    });
    CHECK(rig.counters.slabs == 16);
    CHECK(rig.counters.evictions == 0);
    CHECK(held_slabs(rig) == 0);
  });
}

TEST(who_leaves_a_connection_that_nobody_reads_is_missed) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const auto [client, server] = Pair(rig);
    rig.command(client, CommandType::kFinish);
    bool ended = false;
    int closed = 0;
    rig.run(
        [&](Row& row) {
          ended |= Rig::type(row) == RowType::kEnded && row.slot == server.slot;
          closed += Rig::type(row) == RowType::kClosed ? 1 : 0;
        },
        [&] {
          look(rig);
          return closed == 2;
        });
    CHECK(ended);
  });
}

TEST(a_reset_of_a_connection_that_nobody_reads_is_told_with_its_errno) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const auto [client, server] = Pair(rig);
    const linger hard{1, 0};
    setsockopt(rig.engine.find(client.slot, client.generation)->fd, SOL_SOCKET, SO_LINGER, &hard,
               sizeof hard);
    rig.command(client, CommandType::kDestroy);
    uint32_t error = 0;
    rig.run(
        [&](Row& row) {
          CHECK(Rig::type(row) == RowType::kClosed);
          if (row.slot == server.slot) error = row.flags;
        },
        [&] {
          look(rig);
          return error != 0;
        });
    CHECK(error == ECONNRESET);
  });
}

TEST(bytes_that_nobody_reads_outlive_their_sender_but_keep_nobody_awake) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const auto [client, server] = Pair(rig);
    rig.engine.unlisten(static_cast<uint32_t>(rig.listener));
    rig.send_bytes(client, "last words");
    rig.command(client, CommandType::kFinish);
    const auto start = std::chrono::steady_clock::now();
    rig.run([&](Row& row) { CHECK(Rig::type(row) != RowType::kEnded); },
            [&] {
              look(rig);
              CHECK(seconds_since(start) < 10);
              return rig.engine.active() == 1;
            });
    rig.command(server, CommandType::kResume);
    std::string heard;
    int closed = 0;
    rig.run(
        [&](Row& row) {
          if (Rig::type(row) == RowType::kChunk) {
            const auto bytes = rig.bytes(row);
            heard.append(bytes.begin(), bytes.end());
          }
          closed += Rig::type(row) == RowType::kClosed ? 1 : 0;
        },
        [&] { return closed == 2; });
    CHECK(heard == "last words");
    CHECK(rig.engine.active() == 0);
  });
}

TEST(a_peer_that_is_dead_is_noticed_by_keepalive) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const auto [client, server] = Pair(rig);
    // Asked after a second already, and given up with the second answer that is missing.
    const int fd = rig.engine.find(client.slot, client.generation)->fd;
    const int once = 1;
    int interval = 0;
    int probes = 0;
    socklen_t size = sizeof interval;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, &size) == 0 && interval == 1);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, &size) == 0 && probes == 10);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &once, sizeof once);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &once, sizeof once);
    // Whatever comes to the peer is dropped before TCP sees it: nobody answers any more.
    sock_filter drop = {BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program{1, &drop};
    CHECK(setsockopt(rig.engine.find(server.slot, server.generation)->fd, SOL_SOCKET,
                     SO_ATTACH_FILTER, &program, sizeof program) == 0);
    rig.command(client, CommandType::kResume);
    const auto start = std::chrono::steady_clock::now();
    uint32_t error = 0;
    rig.run(
        [&](Row& row) {
          CHECK(Rig::type(row) == RowType::kClosed && row.slot == client.slot);
          error = row.flags;
        },
        [&] {
          usleep(1000);
          CHECK(seconds_since(start) < 20);
          return error != 0;
        });
    CHECK(error == ETIMEDOUT);
  });
}
