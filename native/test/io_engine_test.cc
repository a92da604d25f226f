// The engine over both back ends: two connections of one engine talk over loopback.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/io/engine.h"
#include "test/check.h"

using namespace dwcp::io;

namespace {

class Heap final : public RegionSource {
 public:
  uint8_t* add_region() override {
    regions_.push_back(std::make_unique_for_overwrite<uint8_t[]>(kRegionSize));
    return regions_.back().get();
  }

 private:
  std::vector<std::unique_ptr<uint8_t[]>> regions_;
};

/// One engine, with what JavaScript would do: reads rows, writes commands.
class Rig {
 public:
  explicit Rig(Tier tier, EngineOptions options = {})
      : sent(options.max_connections), engine(heap, options, sent, counters) {
    CHECK(engine.start(tier) == 0);
  }
  ~Rig() { engine.shut_down(); }

  uint16_t listen(bool framed) {
    sockaddr_storage address;
    CHECK(read_address("127.0.0.1", 0, address));
    listener = engine.listen(address, {}, {framed});
    CHECK(listener > 0);
    return port_of(address);
  }

  Row connect(uint16_t port, bool framed) {
    sockaddr_storage address;
    CHECK(read_address("127.0.0.1", port, address));
    Row self{};
    CHECK(engine.connect(address, {}, {framed}, self.slot, self.generation) == 0);
    return self;
  }

  static Command make(const Row& to, CommandType type, uint32_t length) {
    Command command{};
    command.slot = to.slot;
    command.generation = to.generation;
    command.what = pack_what(static_cast<uint8_t>(type));
    command.length = length;
    command.slab = kNoSlab;
    return command;
  }

  void command(const Row& to, CommandType type, uint32_t length = 0) {
    commands.push_back(make(to, type, length));
  }

  /// Room for `size` bytes that the command names.
  uint8_t* write(Command& command, size_t size) {
    if (stage == kNoSlab || kSlabSize - staged < size) {
      // What was written must be taken over before its slab is given up.
      engine.execute(std::exchange(commands, {}));
      stage = engine.stage();
      CHECK(stage != kNoSlab);
      staged = 0;
    }
    command.slab = stage;
    command.address = static_cast<uint32_t>(stage * kSlabSize + staged);
    uint8_t* data = engine.pool().data(stage) + staged;
    staged += size;
    return data;
  }

  void send_bytes(const Row& to, const std::string& bytes) {
    Command command = make(to, CommandType::kBytes, static_cast<uint32_t>(bytes.size()));
    std::memcpy(write(command, bytes.size()), bytes.data(), bytes.size());
    commands.push_back(command);
  }

  void send_frame(const Row& to, uint32_t stream, std::span<const uint8_t> payload) {
    Command command = make(to, CommandType::kFrame, static_cast<uint32_t>(payload.size()));
    command.what |= 1 << 8 | 3 << 16;
    command.stream = stream;
    uint8_t* data = write(command, payload.size() + kHeaderSize);
    if (!payload.empty()) std::memcpy(data + kHeaderSize, payload.data(), payload.size());
    commands.push_back(command);
  }

  void forward(const Row& row, CommandType type) {
    Command command = row;
    command.what = (row.what & ~0xffU) | static_cast<uint32_t>(type);
    commands.push_back(command);
  }

  void greet(const Row& to) { send_bytes(to, std::string("DWCP\x01\x01\0\0", 8)); }

  /// Turns until `done`, giving each row to `on_row`.
  void run(const std::function<void(Row&)>& on_row, const std::function<bool()>& done) {
    for (int turn = 0; turn < 200'000; ++turn) {
      engine.execute(std::exchange(commands, {}));
      const size_t count = engine.collect(rows);
      for (size_t i = 0; i < count; ++i) on_row(rows[i]);
      const auto now = std::exchange(commands, {});
      engine.settle({rows.data(), count}, now);
      if (done()) return;
      if (count == 0 && turn > 1000) usleep(50);
    }
    CHECK(!"the engine came to rest before it was done");
  }

  std::span<const uint8_t> bytes(const Row& row) {
    if (row.length == 0) return {};
    return {engine.pool().region(row.address / kRegionSize) + row.address % kRegionSize,
            row.length};
  }

  static RowType type(const Row& row) { return static_cast<RowType>(row.what & 0xff); }

  Heap heap;
  std::vector<double> sent;
  Counters counters;
  Engine engine;
  std::vector<Row> rows = std::vector<Row>(256);
  std::vector<Command> commands;
  SlabId stage = kNoSlab;
  size_t staged = 0;
  int listener = 0;
};

/// Slabs that hold something of somebody.
double held_slabs(Rig& rig) {
  rig.engine.watch();
  return rig.counters.slabs_held;
}

void on_both(const std::function<void(Tier)>& test) {
  for (const Tier tier : {Tier::kEpoll, Tier::kUring}) {
    std::printf("  %s\n", tier == Tier::kEpoll ? "epoll" : "uring");
    test(tier);
  }
}

}  // namespace

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
