// Deltas end to end: edit scripts, sizes that show what is found, limits, giving up, many threads.
#include <algorithm>
#include <ctime>
#include <string>
#include <thread>

#include "core/delta/decoder.h"
#include "core/delta/encoder.h"
#include "test/check.h"

using dwcp::ErrorCode;
using dwcp::codec::Block;
using dwcp::codec::ContextPool;
using dwcp::delta::BaseIndex;
using dwcp::delta::Effort;
using dwcp::delta::EncodeOptions;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

Bytes encoded(ContextPool& pool, const Bytes& base, const Bytes& next,
              const EncodeOptions& options = {}) {
  BaseIndex index;
  CHECK(BaseIndex::build(base, index).ok());
  Block payload;
  CHECK(dwcp::delta::encode(pool, index, base, next, options, payload).ok());
  return {payload.bytes().begin(), payload.bytes().end()};
}

Bytes round_trip(ContextPool& pool, const Bytes& base, const Bytes& next,
                 const EncodeOptions& options = {}) {
  Bytes payload = encoded(pool, base, next, options);
  Bytes out(next.size(), 0xee);
  CHECK(dwcp::delta::decode(pool, base, payload, {}, out).ok());
  CHECK(out == next);
  return payload;
}

/// Random edits: replaced, inserted, removed and moved runs.
Bytes edited(const Bytes& base, uint32_t seed, int edits, uint32_t symbols) {
  std::mt19937 random(seed);
  Bytes next = base;
  for (int i = 0; i < edits && !next.empty(); ++i) {
    const auto at = static_cast<ptrdiff_t>(random() % next.size());
    const auto size = static_cast<ptrdiff_t>(
        std::min<size_t>(random() % (random() % 8 == 0 ? 3'000 : 20), next.size() - at));
    const Bytes fresh = sample(static_cast<size_t>(size), random(), symbols);
    switch (random() % 4) {
      case 0:
        std::copy(fresh.begin(), fresh.end(), next.begin() + at);
        break;
      case 1:
        next.insert(next.begin() + at, fresh.begin(), fresh.end());
        break;
      case 2:
        next.erase(next.begin() + at, next.begin() + at + size);
        break;
      default:
        std::rotate(next.begin(), next.begin() + at, next.begin() + at + size);
    }
  }
  return next;
}

}  // namespace

TEST(random_edit_scripts_come_back_at_every_effort_and_size) {
  ContextPool pool;
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    const uint32_t symbols = seed % 3 == 0 ? 256 : seed % 3 == 1 ? 4 : 60;
    const Bytes base = sample(seed % 7 * 9'000 + seed, seed, symbols);
    const Bytes next = edited(base, seed + 1'000, static_cast<int>(seed % 50), symbols);
    const auto effort = static_cast<Effort>(seed % 3);
    round_trip(pool, base, next, {.effort = effort});
  }
}

TEST(empty_equal_and_unrelated_values_come_back) {
  ContextPool pool;
  const Bytes noise = sample(3'000'000, 7);
  round_trip(pool, {}, {});
  round_trip(pool, {}, noise);
  round_trip(pool, noise, {});
  CHECK(round_trip(pool, noise, noise).size() < 40);
  CHECK(round_trip(pool, noise, sample(3'000'000, 8)).size() < 3'001'000);
  round_trip(pool, Bytes(500'000, 0), Bytes(700'000, 0));
  round_trip(pool, Bytes(500'000, 'a'), Bytes(3, 'a'));
}

TEST(moved_blocks_and_shifted_values_cost_little) {
  ContextPool pool;
  const Bytes base = sample(2'000'000, 9);
  Bytes next = base;
  std::rotate(next.begin(), next.begin() + 700'001, next.end());
  next.insert(next.begin() + 50, {1, 2, 3});
  CHECK(round_trip(pool, base, next).size() < 80);
}

TEST(values_changed_in_place_are_coded_as_differences) {
  ContextPool pool;
  Bytes base = sample(400'000, 10);
  for (size_t i = 0; i < base.size(); i += 4) base[i + 3] = 0;  // little-endian words
  Bytes next = base;
  for (size_t i = 0; i < next.size(); i += 16) next[i] += 8;
  CHECK(round_trip(pool, base, next).size() < next.size() / 50);
}

TEST(contexts_take_a_fraction_of_the_content) {
  ContextPool pool;
  const Bytes base = sample(3'000'000, 12);
  Bytes next = base;
  const Bytes fresh = sample(300'000, 13);
  for (size_t i = 0; i < fresh.size(); ++i) next[i / 30 * 300 + i % 30] = fresh[i];
  round_trip(pool, base, next);
  CHECK(pool.idle_bytes() > 0);
  CHECK(pool.idle_bytes() < next.size() / 4);
}

TEST(table_rows_that_change_or_move_cost_a_few_bytes_each) {
  ContextPool pool;
  std::mt19937 random(21);
  constexpr size_t kRows = 20'000;
  std::vector<std::string> rows;
  for (size_t i = 0; i < kRows; ++i) {
    const std::string key = std::to_string(random()) + std::to_string(random());
    rows.push_back(key + "," + std::to_string(random() % 100'000) + ",open," + key + "\n");
  }
  const auto table = [&] {
    Bytes bytes;
    for (const auto& row : rows) bytes.insert(bytes.end(), row.begin(), row.end());
    return bytes;
  };
  const Bytes base = table();
  std::shuffle(rows.begin(), rows.end(), random);
  CHECK(round_trip(pool, base, table()).size() < kRows * 5);
  std::sort(rows.begin(), rows.end());
  const Bytes sorted = table();
  for (auto& row : rows) row.insert(row.find(',') + 1, std::to_string(random() % 90 + 10));
  CHECK(round_trip(pool, sorted, table()).size() < kRows * 3);
}

/// CPU time of encoding, seconds.
double encode_seconds(ContextPool& pool, const Bytes& base, const Bytes& next) {
  BaseIndex index;
  CHECK(BaseIndex::build(base, index).ok());
  Block payload;
  const std::clock_t start = std::clock();
  CHECK(dwcp::delta::encode(pool, index, base, next, {}, payload).ok());
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST(hostile_values_take_time_in_proportion_to_their_size) {
  ContextPool pool;
  const auto periodic = [](size_t size, size_t period) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i % period * 37);
    return bytes;
  };
  const auto cut = [](Bytes bytes, size_t every) {
    for (size_t i = every; i < bytes.size(); i += every) bytes[i] = static_cast<uint8_t>(~bytes[i]);
    return bytes;
  };
  const auto shapes = [&](size_t size) {
    const Bytes noise = sample(size, 22, 2);
    return std::vector<std::pair<Bytes, Bytes>>{
        {Bytes(size, 0), cut(Bytes(size, 0), 61)},
        {periodic(size, 3), cut(periodic(size, 3), 40)},
        {periodic(size, 17), cut(periodic(size, 17), 101)},
        {noise, cut(noise, 23)},
        {periodic(size, 1'000), Bytes(size, 0)},
        {sample(size, 23, 1), sample(size, 24, 3)},
    };
  };
  constexpr size_t kSmall = 100'000;
  const auto small = shapes(kSmall);
  const auto large = shapes(8 * kSmall);
  for (size_t i = 0; i < small.size(); ++i) {
    const double first = encode_seconds(pool, small[i].first, small[i].second);
    const double second = encode_seconds(pool, large[i].first, large[i].second);
    CHECK(second < 0.1 + 8 * 3 * first);
    round_trip(pool, small[i].first, small[i].second);
  }
}

TEST(several_segments_come_back) {
  ContextPool pool;
  const Bytes base = sample(4'000'000, 11);
  Bytes next = sample(5'000'000, 12);
  for (size_t at = 100'000; at + 4'000 < base.size(); at += 9'000) {
    std::copy_n(base.begin() + static_cast<ptrdiff_t>(at), 3'000,
                next.begin() + static_cast<ptrdiff_t>(at));
  }
  round_trip(pool, base, next);
}

TEST(equal_input_gives_equal_bytes) {
  ContextPool pool;
  const Bytes base = sample(100'000, 13, 30);
  const Bytes next = edited(base, 14, 20, 30);
  CHECK(encoded(pool, base, next) == encoded(pool, base, next));
}

TEST(too_little_in_common_is_given_up) {
  ContextPool pool;
  CHECK(encoded(pool, sample(9'000, 15), sample(9'000, 16), {.max_literal_bytes = 8'999}).empty());
  CHECK(!encoded(pool, sample(9'000, 15), sample(9'000, 16), {.max_literal_bytes = 9'000}).empty());
}

TEST(an_index_of_another_base_is_refused) {
  ContextPool pool;
  BaseIndex index;
  CHECK(BaseIndex::build(sample(1'000, 17), index).ok());
  Block payload;
  const Bytes other = sample(999, 17);
  const auto status = dwcp::delta::encode(pool, index, other, other, {}, payload);
  CHECK(status.code == ErrorCode::INVALID_ARG);
}

TEST(the_operation_limit_is_the_caller_s) {
  ContextPool pool;
  const Bytes base = sample(100'000, 18);
  const Bytes next = edited(base, 19, 40, 256);
  const Bytes payload = encoded(pool, base, next);
  Bytes out(next.size());
  CHECK(dwcp::delta::decode(pool, base, payload, {.max_ops = 5}, out).code == ErrorCode::LIMIT);
  CHECK(dwcp::delta::decode(pool, base, payload, {}, out).ok());
}

TEST(many_threads_share_one_index_and_one_pool) {
  ContextPool pool;
  const Bytes base = sample(300'000, 20, 40);
  BaseIndex index;
  CHECK(BaseIndex::build(base, index).ok());
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      for (uint32_t round = 0; round < 5; ++round) {
        const Bytes next = edited(base, seed * 100 + round, 30, 40);
        Block payload;
        CHECK(dwcp::delta::encode(pool, index, base, next, {}, payload).ok());
        Bytes out(next.size());
        CHECK(dwcp::delta::decode(pool, base, payload.bytes(), {}, out).ok());
        CHECK(out == next);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}
