// The match finder of records and what is made of its parse: every kind of repeat comes back, with
// tables of a dictionary and without, from several threads, in bounded memory.
#include <algorithm>
#include <array>
#include <string>
#include <thread>

#include "core/codec/dictionary_entropy.h"
#include "core/codec/record_codec.h"
#include "test/check.h"

using dwcp::Shared;
using dwcp::codec::Dictionary;
using dwcp::codec::RecordCodec;
using dwcp::codec::RecordMatcher;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

/// Text of words, some of them new, as records of one kind are.
Bytes text(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes;
  while (bytes.size() < size) {
    const std::string word = random() % 4 == 0 ? std::to_string(random())
                                               : "\"name" + std::to_string(random() % 60) + "\":{";
    bytes.insert(bytes.end(), word.begin(), word.end());
  }
  bytes.resize(size);
  return bytes;
}

/// `content` behind entropy tables measured on records like it.
Bytes trained(const Bytes& content) {
  static dwcp::codec::ContextPool pool;
  std::array<uint8_t, dwcp::codec::kMaxDictionaryHead> head;
  size_t size = 0;
  const Bytes records = text(20000, 99);
  const std::vector<uint32_t> lengths(20, 1000);
  CHECK(dwcp::codec::write_dictionary_head(pool, {records, lengths}, content, 3, head, size).ok());
  Bytes made(head.begin(), head.begin() + static_cast<ptrdiff_t>(size));
  made.insert(made.end(), content.begin(), content.end());
  return made;
}

Shared<Dictionary> dictionary_of(const Bytes& bytes) {
  Shared<Dictionary> made;
  CHECK(Dictionary::make(bytes, 77, made).ok());
  return made;
}

size_t round_trip(RecordCodec& codec, const Bytes& content, const Dictionary& dictionary) {
  Bytes frame(dwcp::codec::record_bound(content.size()));
  size_t size = 0;
  CHECK(codec.encode(content, &dictionary, {}, frame, size).ok());
  frame.resize(size);
  Bytes back(content.size());
  size_t got = 0;
  CHECK(codec.decode(frame, &dictionary, content.size(), back, got).ok());
  CHECK(got == content.size() && back == content);
  return size;
}

}  // namespace

TEST(records_come_back_at_every_size_with_dictionaries_of_every_size) {
  RecordCodec codec;
  for (const size_t size : {255, 256, 257, 1024, 5000, 65536, 300000}) {
    const Bytes content = text(size, 1);
    for (const Bytes& bytes : {content, trained(content)}) {
      const auto dictionary = dictionary_of(bytes);
      const bool indexed = dictionary->record_index(3) != nullptr;
      CHECK(indexed || size < 512 || size > 262144);
      for (size_t length = 0; length < 300; ++length) {
        round_trip(codec, text(length, static_cast<uint32_t>(length)), *dictionary);
      }
      for (const size_t length : {1200, 1023, 1024, 5000, 16384, 65535, 65536}) {
        const Bytes record = text(length, 5);
        CHECK(round_trip(codec, record, *dictionary) < length * 3 / 4);
        round_trip(codec, sample(length, 3), *dictionary);
        round_trip(codec, Bytes(length, 7), *dictionary);
      }
    }
  }
}

TEST(a_repeat_is_found_up_to_the_last_byte_of_the_dictionary_and_not_beyond) {
  RecordCodec codec;
  const Bytes content = sample(4096, 8);
  const auto dictionary = dictionary_of(content);
  for (size_t length = 16; length < 64; ++length) {
    const auto from = static_cast<ptrdiff_t>(content.size() - length);
    Bytes record(content.begin() + from, content.end());
    // What lies behind the dictionary in memory, and what comes before the record, are no repeats.
    record.insert(record.end(), 40, 0);
    record.insert(record.end(), content.begin(), content.begin() + 64);
    record.insert(record.end(), content.begin() + from, content.end());
    CHECK(round_trip(codec, record, *dictionary) < 60);
  }
}

TEST(a_record_without_a_repeat_is_coded_by_its_literals) {
  RecordCodec codec;
  const auto dictionary = dictionary_of(sample(4096, 8));
  std::mt19937 random(4);
  Bytes record(700);  // few repeats, and some bytes are more common
  for (size_t i = 0; i < record.size(); ++i) {
    record[i] = static_cast<uint8_t>(i % 4 == 0 ? random() % 64 : 'a' + random() % 3);
  }
  CHECK(round_trip(codec, record, *dictionary) < record.size() * 2 / 3);
}

TEST(a_parse_covers_the_record_with_repeats_that_are_there) {
  const Bytes shared = text(8000, 1);
  const auto dictionary = dictionary_of(shared);
  const auto* index = dictionary->record_index(3);
  CHECK(index != nullptr);
  RecordMatcher matcher;
  const Bytes record = text(3000, 2);
  CHECK(matcher.reserve(record.size()));
  const auto parse = matcher.parse(record, *index);
  CHECK(parse.sequences.size() > 50 && parse.sequences.size() <= matcher.max_sequences());
  size_t at = parse.literals.size();
  for (const SeqDef& sequence : parse.sequences) at += sequence.mlBase + size_t{MINMATCH};
  CHECK(at == record.size());
}

TEST(a_parse_is_the_same_on_every_cpu) {
  const auto dictionary = dictionary_of(text(8000, 1));
  const auto* index = dictionary->record_index(3);
  RecordMatcher matcher;
  RecordMatcher anywhere(false);
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const Bytes record = text(20 + 100 * seed, seed);
    CHECK(matcher.reserve(record.size()) && anywhere.reserve(record.size()));
    const auto parse = matcher.parse(record, *index);
    const auto same = anywhere.parse(record, *index);
    CHECK(std::ranges::equal(parse.literals, same.literals));
    CHECK(std::ranges::equal(parse.sequences, same.sequences, [](const auto& a, const auto& b) {
      return a.offBase == b.offBase && a.litLength == b.litLength && a.mlBase == b.mlBase;
    }));
  }
}

TEST(a_codec_keeps_memory_for_its_largest_record_and_no_more) {
  RecordCodec codec;
  const auto dictionary = dictionary_of(text(30000, 1));
  round_trip(codec, text(900, 2), *dictionary);
  const size_t small = codec.size_bytes();
  round_trip(codec, text(1500, 2), *dictionary);
  CHECK(codec.size_bytes() == small);
  round_trip(codec, text(65536, 2), *dictionary);
  const size_t large = codec.size_bytes();
  CHECK(large > small && large < size_t{1} << 20);
  round_trip(codec, text(65536, 3), *dictionary);
  CHECK(codec.size_bytes() == large);
}

TEST(threads_share_a_dictionary_each_with_a_codec_of_its_own) {
  const auto dictionary = dictionary_of(trained(text(20000, 1)));
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&dictionary, seed] {
      RecordCodec codec;
      for (uint32_t i = 0; i < 200; ++i) {
        round_trip(codec, text(100 + 17 * i, seed * 1000 + i), *dictionary);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}
