// Dictionaries: what is none is refused, the forms for writing are made once, and threads share one
// while others let go of it (run under ThreadSanitizer, too).
#include "core/codec/dictionary.h"

#include <atomic>
#include <thread>

#include "core/codec/context_pool.h"
#include "core/codec/zstd_codec.h"
#include "test/check.h"

using dwcp::ErrorCode;
using dwcp::Shared;
using dwcp::codec::ContextPool;
using dwcp::codec::Dictionary;
using dwcp::test::sample;

TEST(bytes_that_are_no_dictionary_are_refused) {
  Shared<Dictionary> made;
  for (const size_t size : {0, 1, 7}) {
    CHECK(Dictionary::make(sample(size, 1), 5, made).code == ErrorCode::DICTIONARY_INVALID);
  }
  auto trained = sample(4000, 1);
  trained[0] = 0x37;
  trained[1] = 0xA4;
  trained[2] = 0x30;
  trained[3] = 0xEC;
  CHECK(Dictionary::make(trained, 5, made).code == ErrorCode::DICTIONARY_INVALID);
  CHECK(Dictionary::make(sample(4000, 1), 0, made).code == ErrorCode::DICTIONARY_INVALID);
  CHECK(!made);
  CHECK(Dictionary::make(sample(8, 1), 5, made).ok());
}

TEST(a_level_costs_memory_once) {
  Shared<Dictionary> made;
  CHECK(Dictionary::make(sample(4000, 1), 5, made).ok());
  const size_t before = made->size_bytes();
  const auto* first = made->encoder(9);
  CHECK(first != nullptr && made->size_bytes() > before);
  const size_t after = made->size_bytes();
  CHECK(made->encoder(9) == first && made->size_bytes() == after);
  CHECK(made->encoder(dwcp::codec::kMinLevel) != made->encoder(dwcp::codec::kMaxLevel));
}

TEST(frames_with_a_dictionary_need_it) {
  ContextPool pool;
  Shared<Dictionary> made;
  const auto content = sample(3000, 1, 200);
  CHECK(Dictionary::make(content, 5, made).ok());
  dwcp::codec::Block with;
  dwcp::codec::Block without;
  CHECK(dwcp::codec::compress(pool, content, {.dictionary = made}, with).ok());
  CHECK(dwcp::codec::compress(pool, content, {}, without).ok());
  CHECK(with.bytes().size() * 10 < without.bytes().size());
  std::vector<uint8_t> back(content.size());
  CHECK(dwcp::codec::decompress(pool, with.bytes(),
                                {.size_bytes = content.size(), .dictionary = made}, back)
            .ok());
  CHECK(back == content);
  const bool read =
      dwcp::codec::decompress(pool, with.bytes(), {.size_bytes = content.size()}, back).ok();
  CHECK(!read || back != content);
}

TEST(threads_share_a_dictionary_that_its_maker_lets_go) {
  ContextPool pool;
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  {
    Shared<Dictionary> made;
    CHECK(Dictionary::make(sample(4000, 1, 12), 5, made).ok());
    for (uint32_t seed = 0; seed < 4; ++seed) {
      threads.emplace_back([&pool, &done, made, seed] {
        for (int round = 0; round < 60; ++round) {
          const auto lease = pool.records.lease();
          auto& codec = *lease.get();
          const auto content = sample(200 + 20 * seed, seed + 1, 12);
          std::vector<uint8_t> frame(dwcp::codec::record_bound(content.size()));
          size_t size = 0;
          CHECK(codec.encode(content, &*made, {.level = round % 8}, frame, size).ok());
          std::vector<uint8_t> back(content.size());
          const auto used = std::span(frame).first(size);
          CHECK(codec.decode(used, &*made, back.size(), back, size).ok());
          CHECK(back == content);
        }
        ++done;
      });
    }
  }
  for (auto& thread : threads) thread.join();
  CHECK(done == 4);
}
