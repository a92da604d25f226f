// Records: every size and level round trips, nothing else does, and a call that fails leaves its
// target as it should.
#include <algorithm>
#include <string>

#include "core/codec/record_codec.h"
#include "test/check.h"

using dwcp::ErrorCode;
using dwcp::Shared;
using dwcp::codec::BatchProgress;
using dwcp::codec::Dictionary;
using dwcp::codec::RecordCodec;
using dwcp::codec::RecordHeader;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

constexpr size_t kNoLimit = size_t{1} << 30;

Shared<Dictionary> dictionary_of(const Bytes& bytes, uint32_t id) {
  Shared<Dictionary> made;
  CHECK(Dictionary::make(bytes, id, made).ok());
  return made;
}

Bytes encode(RecordCodec& codec, const Bytes& content, const Dictionary* dictionary,
             dwcp::codec::RecordOptions options = {}) {
  Bytes target(dwcp::codec::record_bound(content.size()), 0x55);
  size_t size = 0;
  CHECK(codec.encode(content, dictionary, options, target, size).ok());
  target.resize(size);
  return target;
}

}  // namespace

TEST(records_round_trip_at_every_size_level_and_checksum) {
  RecordCodec codec;
  const auto dictionary = dictionary_of(sample(4000, 1, 12), 77);
  for (const size_t size : {0, 1, 7, 31, 32, 127, 128, 1200, 16383, 16384, 65535, 65536}) {
    for (const int level : {-50, -1, 1, 3, 9, 19}) {
      for (const bool checked : {true, false}) {
        for (const Dictionary* given : {static_cast<const Dictionary*>(nullptr),
                                        static_cast<const Dictionary*>(&*dictionary)}) {
          const Bytes content = sample(size, 5, 12);
          const Bytes frame = encode(codec, content, given, {level, checked});
          CHECK(frame.size() <= dwcp::codec::record_bound(size));
          Bytes back(size, 0x55);
          size_t got = 0;
          CHECK(codec.decode(frame, given, kNoLimit, back, got).ok());
          CHECK(got == size && back == content);
        }
      }
    }
  }
}

TEST(noise_is_stored_as_it_is_and_needs_no_dictionary) {
  RecordCodec codec;
  const auto dictionary = dictionary_of(sample(4000, 1, 12), 77);
  const Bytes content = sample(1000, 9);
  const Bytes frame = encode(codec, content, &*dictionary);
  CHECK(frame.size() == content.size() + 9);
  Bytes back(content.size());
  size_t size = 0;
  CHECK(codec.decode(frame, nullptr, kNoLimit, back, size).ok());
  CHECK(back == content);
}

TEST(a_target_that_is_too_small_stays_as_it_was_and_one_that_fits_exactly_is_enough) {
  RecordCodec codec;
  const Bytes content = sample(3000, 4, 9);
  const Bytes frame = encode(codec, content, nullptr);
  size_t size = 0;
  for (size_t room = 0; room < frame.size(); ++room) {
    Bytes target(room, 0x55);
    const auto status = codec.encode(content, nullptr, {}, target, size);
    CHECK(status.code == ErrorCode::OUTPUT_LIMIT);
    CHECK(std::all_of(target.begin(), target.end(), [](uint8_t byte) { return byte == 0x55; }));
  }
  Bytes exact(frame.size());
  CHECK(codec.encode(content, nullptr, {}, exact, size).ok());
  CHECK(exact == frame);
}

TEST(every_truncation_and_every_bit_flip_is_found_or_harmless) {
  RecordCodec codec;
  const auto dictionary = dictionary_of(sample(4000, 1, 12), 77);
  const Bytes content = sample(700, 1, 12);
  const Bytes frame = encode(codec, content, &*dictionary);
  size_t size = 0;
  for (size_t length = 0; length < frame.size(); ++length) {
    const Bytes part(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(length));
    Bytes target(content.size(), 0x55);
    CHECK(!codec.decode(part, &*dictionary, kNoLimit, target, size).ok());
  }
  for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
    Bytes bad = frame;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    Bytes target(content.size(), 0x55);
    const bool ok = codec.decode(bad, &*dictionary, kNoLimit, target, size).ok();
    CHECK(!ok || target == content);
    if (!ok) {
      const uint8_t first = target[0];
      CHECK(first == 0x55 || first == 0);
      CHECK(std::all_of(target.begin(), target.end(), [=](uint8_t byte) { return byte == first; }));
    }
  }
}

TEST(another_dictionary_is_refused_before_any_work) {
  RecordCodec codec;
  const auto dictionary = dictionary_of(sample(4000, 1, 12), 77);
  const auto other = dictionary_of(sample(4000, 2, 12), 78);
  const Bytes content = sample(700, 1, 12);
  const Bytes frame = encode(codec, content, &*dictionary);
  Bytes target(content.size(), 0x55);
  size_t size = 0;
  for (const Dictionary* given :
       {static_cast<const Dictionary*>(nullptr), static_cast<const Dictionary*>(&*other)}) {
    const auto status = codec.decode(frame, given, kNoLimit, target, size);
    CHECK(status.code == ErrorCode::DICTIONARY_MISMATCH);
    CHECK(target[0] == 0x55);
  }
}

TEST(limits_hold_before_any_work) {
  RecordCodec codec;
  const Bytes content = sample(5000, 1, 3);
  const Bytes frame = encode(codec, content, nullptr);
  Bytes target(content.size(), 0x55);
  size_t size = 0;
  CHECK(codec.decode(frame, nullptr, content.size() - 1, target, size).code ==
        ErrorCode::OUTPUT_LIMIT);
  CHECK(codec.decode(frame, nullptr, kNoLimit, std::span(target).first(4999), size).code ==
        ErrorCode::OUTPUT_LIMIT);
  CHECK(target[0] == 0x55);
  const Bytes large(dwcp::codec::kMaxRecordBytes + 1);
  Bytes room(large.size() + 100);
  CHECK(codec.encode(large, nullptr, {}, room, size).code == ErrorCode::INVALID_ARG);
}

TEST(headers_have_one_form) {
  const RecordHeader header{true, true, 300, 0x01020304, 0xAABBCCDD};
  Bytes bytes(dwcp::codec::record_header_size(header));
  dwcp::codec::write_record_header(header, bytes.data());
  const Bytes expected{0xDC, 0x1F, 0xAC, 2, 4, 3, 2, 1, 0xDD, 0xCC, 0xBB, 0xAA};
  CHECK(std::equal(expected.begin(), expected.end(), bytes.begin()));
  CHECK(bytes.size() == expected.size() + 1);
  RecordHeader read;
  size_t size = 0;
  CHECK(dwcp::codec::read_record_header(bytes, read, size).ok());
  CHECK(size == bytes.size() && read.content_size == 300 && read.dictionary_id == 0x01020304);
  CHECK(read.coded && read.checked && read.checksum == 0xAABBCCDD);
  CHECK(dwcp::codec::read_record_header({}, read, size).code == ErrorCode::FRAME_MAGIC);
  for (size_t length = 1; length < bytes.size(); ++length) {
    const auto part = std::span(bytes).first(length);
    CHECK(dwcp::codec::read_record_header(part, read, size).code == ErrorCode::FRAME_CORRUPT);
  }
}

TEST(batches_mix_dictionaries_and_stop_at_the_record_at_fault) {
  RecordCodec codec;
  std::vector<Shared<Dictionary>> dictionaries;
  dictionaries.push_back(dictionary_of(sample(4000, 1, 12), 77));
  dictionaries.push_back(dictionary_of(sample(4000, 2, 12), 78));
  Bytes frames;
  Bytes contents;
  std::vector<uint32_t> lengths;
  for (uint32_t i = 0; i < 40; ++i) {
    const Bytes content = sample(50 + 13 * i, i % 2 + 1, 12);
    const Bytes frame = encode(codec, content, i % 3 == 2 ? nullptr : &*dictionaries[i % 3]);
    lengths.push_back(static_cast<uint32_t>(frame.size()));
    frames.insert(frames.end(), frame.begin(), frame.end());
    contents.insert(contents.end(), content.begin(), content.end());
  }
  Bytes out(contents.size());
  std::vector<uint32_t> sizes(lengths.size());
  BatchProgress progress;
  CHECK(codec.decode_batch({frames, lengths}, dictionaries, kNoLimit, {out, sizes}, progress).ok());
  CHECK(progress.records == 40 && progress.bytes == contents.size() && out == contents);
  BatchProgress claimed;
  CHECK(dwcp::codec::batch_content_size({frames, lengths}, kNoLimit, claimed).ok());
  CHECK(claimed.bytes == contents.size());
  progress = {};
  const std::span one(dictionaries.data(), 1);
  CHECK(codec.decode_batch({frames, lengths}, one, kNoLimit, {out, sizes}, progress).code ==
        ErrorCode::DICTIONARY_MISMATCH);
  CHECK(progress.records == 1);
  lengths.back() += 1;
  progress = {};
  CHECK(
      codec.decode_batch({frames, lengths}, dictionaries, kNoLimit, {out, sizes}, progress).code ==
      ErrorCode::INVALID_ARG);
  CHECK(progress.records == 39);
}
