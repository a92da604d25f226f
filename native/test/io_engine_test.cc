// The engine over both back ends: two connections of one engine talk over loopback.
#include <cerrno>

#include "test/io_rig.h"

using namespace dwcp::test;

TEST(echoes_bytes_and_closes_in_order) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const Row client = rig.connect(rig.listen(false), false);
    Row server{};
    std::string heard;
    int closed = 0;
    rig.run(
        [&](Row& row) {
          switch (Rig::type(row)) {
            case RowType::kOpened:
              if (row.length > 0) server = row;
              rig.command(row, CommandType::kResume);
              if (row.length == 0) rig.send_bytes(row, "hello");
              break;
            case RowType::kChunk: {
              const auto bytes = rig.bytes(row);
              const std::string text(bytes.begin(), bytes.end());
              if (row.slot == server.slot) {
                rig.send_bytes(row, text + "!");
                break;
              }
              heard += text;
              if (heard == "hello!") rig.command(row, CommandType::kFinish);
              break;
            }
            case RowType::kClosed:
              CHECK(row.flags == 0);
              ++closed;
              break;
            default:
              break;
          }
        },
        [&] { return closed == 2; });
    CHECK(heard == "hello!");
    CHECK(client.slot != server.slot);
    CHECK(rig.engine.find(client.slot, client.generation) == nullptr);
    CHECK(rig.engine.active() == 1);
    CHECK(held_slabs(rig) == 0);
  });
}

TEST(frames_of_every_size_come_whole_and_in_order) {
  on_both([](Tier tier) {
    Rig rig(tier);
    rig.connect(rig.listen(true), true);
    std::vector<size_t> sizes{0, 1, 15, 16, 17, 64, 1000, 4096, 65535, 65536, 0, 7};
    for (uint32_t i = 0; i < 300; ++i) sizes.push_back(i * 2654435761U % 65537);
    uint32_t sent = 0;
    uint32_t received = 0;
    bool ready = false;
    Row client{};
    rig.run(
        [&](Row& row) {
          if (Rig::type(row) == RowType::kOpened) {
            rig.command(row, CommandType::kResume);
            rig.greet(row);
            if (row.length == 0) client = row;
          } else if (Rig::type(row) == RowType::kPreface) {
            CHECK(row.stream == kMagic && row.length == 0x0101);
            rig.command(row, CommandType::kResume);
            ready |= row.slot == client.slot;
          } else if (Rig::type(row) == RowType::kFrame) {
            CHECK(row.stream == received && row.length == sizes[received]);
            CHECK(row.what >> 8 == (1 | 3 << 8));
            for (const uint8_t byte : rig.bytes(row)) CHECK(byte == (received & 0xff));
            ++received;
          }
        },
        [&] {
          while (ready && sent < sizes.size() && sent < received + 30) {
            const std::vector<uint8_t> payload(sizes[sent], static_cast<uint8_t>(sent));
            rig.send_frame(client, sent++, payload);
          }
          return received == sizes.size();
        });
    CHECK(held_slabs(rig) == 0);
  });
}

TEST(many_connections_forward_and_give_all_memory_back) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const uint16_t port = rig.listen(true);
    constexpr int kClients = 100;
    constexpr int kRounds = 200;
    std::vector<bool> is_server(2048);
    std::vector<int> rounds(2048);
    for (int i = 0; i < kClients; ++i) rig.connect(port, true);
    int done = 0;
    int closed = 0;
    const std::vector<uint8_t> small(64, 7);
    const std::vector<uint8_t> large(5000, 9);
    rig.run(
        [&](Row& row) {
          switch (Rig::type(row)) {
            case RowType::kOpened:
              is_server[row.slot] = row.length > 0;
              rig.greet(row);
              rig.command(row, CommandType::kResume);
              break;
            case RowType::kPreface:
              rig.command(row, CommandType::kResume);
              if (!is_server[row.slot]) {
                for (int i = 0; i < 8; ++i) rig.send_frame(row, 1, i % 2 ? small : large);
              }
              break;
            case RowType::kFrame:
              if (is_server[row.slot] || ++rounds[row.slot] < kRounds) {
                const bool server = is_server[row.slot];
                rig.forward(row, server ? CommandType::kRelay : CommandType::kForward);
              } else if (rounds[row.slot] == kRounds) {
                ++done;
                rig.command(row, CommandType::kDestroy);
              }
              break;
            case RowType::kClosed:
              ++closed;
              break;
            default:
              break;
          }
        },
        [&] { return closed == 2 * kClients; });
    CHECK(done == kClients);
    CHECK(rig.counters.connections == 0);
    CHECK(held_slabs(rig) == 0);
  });
}

TEST(a_crowd_with_much_to_read_pauses_calms_down_and_loses_nothing) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const uint16_t port = rig.listen(true);
    constexpr uint32_t kClients = 24;
    constexpr uint32_t kUnderWay = 3;
    constexpr uint32_t kFrames = 160;
    // Much, then little for long, then much again.
    const auto size_of = [](uint32_t frame) { return frame / 20 % 7 == 0 ? 60'000 : 40; };
    std::vector<bool> is_server(2048);
    std::vector<uint32_t> heard(2048);
    std::vector<uint32_t> sent(2048);
    std::vector<Row> paused;
    uint32_t closed = 0;
    const auto send_next = [&](const Row& to) {
      const uint32_t frame = sent[to.slot]++;
      rig.send_frame(to, frame, std::vector<uint8_t>(size_of(frame), static_cast<uint8_t>(frame)));
    };
    for (uint32_t i = 0; i < kClients; ++i) rig.connect(port, true);
    rig.run(
        [&](Row& row) {
          switch (Rig::type(row)) {
            case RowType::kOpened:
              is_server[row.slot] = row.length > 0;
              rig.greet(row);
              rig.command(row, CommandType::kResume);
              break;
            case RowType::kPreface:
              rig.command(row, CommandType::kResume);
              for (uint32_t i = 0; i < kUnderWay && !is_server[row.slot]; ++i) send_next(row);
              break;
            case RowType::kFrame:
              CHECK(row.stream == heard[row.slot]++);
              CHECK(row.length == static_cast<uint32_t>(size_of(row.stream)));
              for (const uint8_t byte : rig.bytes(row)) CHECK(byte == (row.stream & 0xff));
              if (is_server[row.slot]) {
                rig.forward(row, CommandType::kForward);
                if (row.stream % 5 > 0) break;
                rig.command(row, CommandType::kPause);
                paused.push_back(row);
              } else if (sent[row.slot] < kFrames) {
                send_next(row);
              } else if (heard[row.slot] == kFrames) {
                rig.command(row, CommandType::kDestroy);
              }
              break;
            case RowType::kClosed:
              CHECK(heard[row.slot] == kFrames);
              ++closed;
              break;
            default:
              break;
          }
        },
        [&] {
          for (const Row& row : std::exchange(paused, {})) rig.command(row, CommandType::kResume);
          return closed == 2 * kClients;
        });
    CHECK(held_slabs(rig) == 0);
  });
}

TEST(a_flood_is_read_a_few_slabs_at_a_time_and_pauses_in_the_middle) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const uint16_t port = rig.listen(false);
    constexpr uint32_t kBlock = 64 * 1024;
    constexpr uint32_t kBlocks = 256;
    constexpr uint32_t kAhead = 24;
    uint32_t sent = 0;
    uint64_t received = 0;
    uint64_t in_turn = 0;
    uint64_t most = 0;
    Row server{};
    const Row client = rig.connect(port, false);
    bool opened = false;
    bool ended = false;
    bool pause = false;
    rig.run(
        [&](Row& row) {
          if (Rig::type(row) == RowType::kOpened) {
            if (row.length > 0) server = row;
            rig.command(row, CommandType::kResume);
            opened = true;
          } else if (Rig::type(row) == RowType::kChunk) {
            CHECK(row.slot == server.slot);
            for (const uint8_t byte : rig.bytes(row)) CHECK(byte == (received++ / kBlock & 0xff));
            in_turn += row.length;
            pause = true;
          } else if (Rig::type(row) == RowType::kEnded) {
            ended |= row.slot == server.slot;
          }
        },
        [&] {
          most = std::max(most, std::exchange(in_turn, 0));
          // Paused for a turn after each that brought something, so that more comes together.
          if (server.generation > 0) {
            rig.command(server, pause ? CommandType::kPause : CommandType::kResume);
          }
          pause = false;
          while (opened && sent < kBlocks && sent < received / kBlock + kAhead) {
            rig.send_bytes(client, std::string(kBlock, static_cast<char>(sent++)));
            if (sent == kBlocks) rig.command(client, CommandType::kFinish);
          }
          return ended;
        });
    CHECK(received == uint64_t{kBlock} * kBlocks);
    CHECK(most > kSlabSize);
    CHECK(most <= 16 * kSlabSize);
    CHECK(held_slabs(rig) == 0);
  });
}

TEST(what_is_relayed_is_the_frame_as_it_came_unless_the_command_says_otherwise) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const uint16_t port = rig.listen(true);
    rig.connect(port, true);
    Row client{};
    std::vector<uint32_t> streams;
    bool ready = false;
    // One that ends where a piece of 64 KiB may, an empty one, and some that are cut in two.
    const std::vector<size_t> sizes{0, 1, 64, 5000, kMaxPayload, 3, kMaxPayload, kMaxPayload, 9};
    rig.run(
        [&](Row& row) {
          switch (Rig::type(row)) {
            case RowType::kOpened:
              if (row.length == 0) client = row;
              rig.greet(row);
              rig.command(row, CommandType::kResume);
              break;
            case RowType::kPreface:
              rig.command(row, CommandType::kResume);
              if (row.slot != client.slot) break;
              ready = true;
              for (size_t i = 0; i < sizes.size(); ++i) {
                const std::vector<uint8_t> payload(sizes[i], static_cast<uint8_t>(i));
                rig.send_frame(row, static_cast<uint32_t>(i), payload);
              }
              break;
            case RowType::kFrame:
              if (row.slot != client.slot) {
                Row changed = row;
                if (row.stream % 2 == 1) changed.stream += 100;
                rig.forward(changed, CommandType::kRelay);
                break;
              }
              CHECK(row.length == sizes[streams.size()]);
              for (const uint8_t byte : rig.bytes(row)) CHECK(byte == streams.size());
              streams.push_back(row.stream);
              break;
            default:
              CHECK(Rig::type(row) != RowType::kBroken);
              break;
          }
        },
        [&] { return streams.size() == sizes.size(); });
    CHECK(ready);
    CHECK((streams == std::vector<uint32_t>{0, 101, 2, 103, 4, 105, 6, 107, 8}));
  });
}

TEST(a_refused_dial_closes_with_its_errno) {
  on_both([](Tier tier) {
    Rig rig(tier);
    const uint16_t port = rig.listen(true);
    rig.engine.unlisten(static_cast<uint32_t>(rig.listener));
    rig.connect(port, true);
    uint32_t error = 0;
    rig.run(
        [&](Row& row) {
          CHECK(Rig::type(row) == RowType::kClosed);
          error = row.flags;
        },
        [&] { return error != 0; });
    CHECK(error == ECONNREFUSED);
    CHECK(rig.engine.active() == 0);
  });
}

TEST(a_commands_generation_must_be_the_connections) {
  on_both([](Tier tier) {
    Rig rig(tier);
    Row client = rig.connect(rig.listen(false), false);
    int opened = 0;
    rig.run([&](Row& row) { opened += Rig::type(row) == RowType::kOpened ? 1 : 0; },
            [&] { return opened == 2; });
    Row stale = client;
    ++stale.generation;
    rig.command(stale, CommandType::kDestroy);
    stale.slot = 77;
    rig.command(stale, CommandType::kDestroy);
    rig.engine.execute(std::exchange(rig.commands, {}));
    CHECK(rig.engine.find(client.slot, client.generation) != nullptr);
  });
}

TEST(a_reader_that_keeps_slabs_holds_the_sender_back_within_the_budget) {
  on_both([](Tier tier) {
    EngineOptions options;
    options.budget_bytes = 4 << 20;
    Rig rig(tier, options);
    rig.connect(rig.listen(true), true);
    const std::vector<uint8_t> payload(60'000, 5);
    std::vector<SlabId> kept;
    Row client{};
    uint32_t sent = 0;
    uint32_t received = 0;
    bool ready = false;
    int quiet = 0;
    uint32_t before = 0;
    const auto on_row = [&](Row& row) {
      if (Rig::type(row) == RowType::kOpened) {
        rig.greet(row);
        rig.command(row, CommandType::kResume);
        if (row.length == 0) client = row;
      } else if (Rig::type(row) == RowType::kPreface) {
        rig.command(row, CommandType::kResume);
        ready |= row.slot == client.slot;
      } else if (Rig::type(row) == RowType::kFrame) {
        ++received;
        kept.push_back(std::exchange(row.slab, kNoSlab));
      }
    };
    rig.run(on_row, [&] {
      if (ready && sent < 1000 && rig.engine.find(client.slot, client.generation) != nullptr &&
          rig.engine.find(client.slot, client.generation)->output.bytes() < 200'000) {
        rig.send_frame(client, ++sent, payload);
      }
      quiet = received == before ? quiet + 1 : 0;
      before = received;
      return quiet > 2000 && received > 0;
    });
    CHECK(received < 100);
    CHECK(rig.counters.slabs == 32);
    for (const SlabId slab : kept) {
      rig.command(client, CommandType::kRelease);
      rig.commands.back().slab = slab;
    }
    kept.clear();
    const uint32_t stuck = received;
    rig.run(
        [&](Row& row) {
          on_row(row);
          for (const SlabId slab : std::exchange(kept, {})) {
            rig.command(client, CommandType::kRelease);
            rig.commands.back().slab = slab;
          }
        },
        [&] { return received == sent; });
    CHECK(received > stuck);
    CHECK(rig.counters.slabs == 32);
  });
}
