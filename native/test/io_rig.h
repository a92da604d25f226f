// One engine over loopback, with what JavaScript would do: for tests of the engine on both tiers.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/io/engine.h"
#include "test/check.h"
#include "test/io_frames.h"

namespace dwcp::test {

using namespace dwcp::io;

/// One engine, with what JavaScript would do: reads rows, writes commands.
class Rig {
 public:
  explicit Rig(Tier tier, EngineOptions options = {})
      : sent(options.max_connections), engine(heap, options, sent, counters) {
    CHECK(engine.start(tier) == 0);
  }
  ~Rig() { engine.shut_down(); }

  uint16_t listen(bool framed, uint32_t tls = 0) {
    sockaddr_storage address;
    CHECK(read_address("127.0.0.1", 0, address));
    listener = engine.listen(address, {}, {framed, tls});
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

  HeapRegions heap;
  std::vector<double> sent;
  Counters counters;
  Engine engine;
  std::vector<Row> rows = std::vector<Row>(256);
  std::vector<Command> commands;
  SlabId stage = kNoSlab;
  size_t staged = 0;
  int listener = 0;
};

/// As the watchdog of the host does, only more often.
inline void look(Rig& rig) {
  usleep(1000);
  rig.engine.watch();
}

/// Slabs that hold something of somebody.
inline double held_slabs(Rig& rig) {
  rig.engine.watch();
  return rig.counters.slabs_held;
}

inline void on_both(const std::function<void(Tier)>& test) {
  for (const Tier tier : {Tier::kEpoll, Tier::kUring}) {
    std::printf("  %s\n", tier == Tier::kEpoll ? "epoll" : "uring");
    test(tier);
  }
}

}  // namespace dwcp::test
