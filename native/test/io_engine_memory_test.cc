// The memory budget of the engine, over both back ends: who begins more than fits takes turns, and
// who holds memory for nothing ends.
#include "test/io_peers.h"

using namespace dwcp::test;

TEST(peers_that_begin_frames_and_stop_hold_nobody_up_for_long) {
  on_both([](Tier tier) {
    Rig rig(tier, {.budget_bytes = kSmallBudget});
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
    Rig rig(tier, {.budget_bytes = kSmallBudget});
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
    Rig rig(tier, {.budget_bytes = kSmallBudget});
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
