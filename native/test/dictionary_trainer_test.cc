// Dictionaries trained on synthetic records: they help on records not seen, are the same each time,
// and are none where there is nothing to learn.
#include "core/codec/dictionary_trainer.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "test/check.h"

namespace {

using namespace dwcp::codec;

struct Set {
  std::vector<uint8_t> bytes;
  std::vector<uint32_t> lengths;

  void add(const std::string& record) {
    bytes.insert(bytes.end(), record.begin(), record.end());
    lengths.push_back(static_cast<uint32_t>(record.size()));
  }
  Samples samples() const { return {bytes, lengths}; }
};

uint32_t next(uint32_t& state) { return state = state * 1664525 + 1013904223; }

Set orders(int count, uint32_t seed) {
  static constexpr const char* kPlaces[] = {"Amsterdam", "Berlin", "Casablanca", "Dresden"};
  Set set;
  for (int i = 0; i < count; ++i) {
    char record[200];
    std::snprintf(
        record, sizeof record,
        "{\"type\":\"order\",\"id\":%u,\"currency\":\"EUR\",\"place\":\"%s\",\"total\":%u}",
        next(seed), kPlaces[next(seed) >> 30], next(seed) >> 20);
    set.add(record);
  }
  return set;
}

Block trained(ContextPool& pool, const Set& set, size_t size, TrainReport& report) {
  Block dictionary;
  CHECK(train_dictionary(pool, set.samples(), {size, 3}, dictionary, report).ok());
  return dictionary;
}

}  // namespace

TEST(helps_on_what_was_held_out) {
  ContextPool pool;
  TrainReport report;
  const Set set = orders(400, 1);
  const Block dictionary = trained(pool, set, 4096, report);
  CHECK(dictionary.valid());
  CHECK(dictionary.bytes().size() <= 4096);
  CHECK(report.with_bytes * 2 < report.without_bytes);
  ZSTD_DDict* digested = ZSTD_createDDict(dictionary.bytes().data(), dictionary.bytes().size());
  CHECK(digested != nullptr);
  CHECK(ZSTD_getDictID_fromDDict(digested) >= 32768);
  ZSTD_freeDDict(digested);
}

TEST(repeats_itself) {
  ContextPool pool;
  TrainReport report;
  const Set set = orders(300, 7);
  const Block first = trained(pool, set, 2048, report);
  const Block second = trained(pool, set, 2048, report);
  const auto a = first.bytes();
  const auto b = second.bytes();
  CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

TEST(gives_none_of_noise_or_nothing) {
  ContextPool pool;
  TrainReport report;
  Set noise;
  uint32_t state = 3;
  for (int i = 0; i < 200; ++i) {
    std::string record(300, ' ');
    for (char& byte : record) byte = static_cast<char>(next(state) >> 24);
    noise.add(record);
  }
  CHECK(!trained(pool, noise, 4096, report).valid());
  CHECK(!trained(pool, Set{}, 4096, report).valid());
  Set tiny;
  for (int i = 0; i < 50; ++i) tiny.add("abc");
  CHECK(!trained(pool, tiny, 4096, report).valid());
}

TEST(takes_all_sizes) {
  ContextPool pool;
  TrainReport report;
  Set set = orders(60, 11);
  set.add(std::string(300000, 'x'));  // more than a block
  set.add("");
  for (const size_t size : {kMinTrainedBytes, size_t{5000}, kMaxTrainedBytes}) {
    const Block dictionary = trained(pool, set, size, report);
    CHECK(dictionary.valid());
    CHECK(dictionary.bytes().size() <= size);
  }
}
