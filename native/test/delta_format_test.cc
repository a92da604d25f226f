// Payloads by hand and payloads damaged: every operation that leaves base or content is refused by
// name.
#include "core/delta/decoder.h"
#include "core/delta/encoder.h"
#include "core/delta/segment.h"
#include "core/delta/varint.h"
#include "test/check.h"

using dwcp::ErrorCode;
using dwcp::codec::Block;
using dwcp::codec::Column;
using dwcp::codec::ContextPool;
using dwcp::delta::BaseIndex;
using dwcp::delta::Reader;
using dwcp::delta::unzigzag;
using dwcp::delta::write_varint;
using dwcp::delta::zigzag;
using dwcp::test::sample;
using Bytes = std::vector<uint8_t>;

namespace {

/// A copy with the new bytes before it; `offset` is relative to the copy in place.
struct Made {
  size_t literal;
  size_t copy;
  int64_t offset;
};

void raw_part(Column<uint8_t>& out, std::span<const uint8_t> bytes) {
  write_varint(out, bytes.size() << 1);
  out.append(bytes);
}

/// One segment of raw parts.
Bytes payload_of(const std::vector<Made>& ops, const Bytes& literals, uint8_t coding = 0) {
  Column<uint8_t> sizes;
  Column<uint8_t> copies;
  Column<uint8_t> offsets;
  for (const Made& op : ops) {
    write_varint(sizes, op.literal);
    write_varint(copies, op.copy);
    if (op.copy > 0) write_varint(offsets, zigzag(op.offset));
  }
  Column<uint8_t> out;
  out.push(dwcp::delta::kVersion);
  write_varint(out, ops.size());
  out.push(coding);
  for (const auto* column : {&sizes, &copies, &offsets}) write_varint(out, column->size());
  for (const auto* column : {&sizes, &copies, &offsets}) raw_part(out, column->values());
  raw_part(out, literals);
  return {out.values().begin(), out.values().end()};
}

ErrorCode code_of(const Bytes& payload, size_t size, const Bytes& base = Bytes(100, 'b')) {
  ContextPool pool;
  Bytes out(size);
  return dwcp::delta::decode(pool, base, payload, {}, out).code;
}

}  // namespace

TEST(varints_have_one_form) {
  for (const size_t value : {0u, 1u, 127u, 128u, 16'383u, 16'384u, 2'097'152u, 4'294'967'295u}) {
    Column<uint8_t> out;
    write_varint(out, value);
    Reader reader(out.values());
    CHECK(reader.varint() == value && reader.ok() && reader.at_end());
    for (size_t size = 0; size < out.size(); ++size) {
      Reader cut(out.values().first(size));
      cut.varint();
      CHECK(!cut.ok());
    }
  }
  for (const Bytes& bad : {Bytes{0x80, 0x00}, Bytes{0xff, 0xff, 0xff, 0xff, 0x10},
                           Bytes{0xff, 0xff, 0xff, 0xff, 0xff, 0x01}}) {
    Reader reader(bad);
    reader.varint();
    CHECK(!reader.ok());
  }
  for (const int64_t value : {0, 1, -1, 64, -64, INT32_MAX, -INT32_MAX}) {
    CHECK(unzigzag(zigzag(value)) == value);
  }
}

TEST(operations_that_fit_are_taken) {
  CHECK(code_of(payload_of({{5, 60, -5}}, Bytes(5, 'x')), 65) == ErrorCode::kNone);
  CHECK(code_of(payload_of({{0, 60, 40}, {3, 0, 0}}, Bytes(3, 'x')), 63) == ErrorCode::kNone);
}

TEST(operations_that_leave_base_or_content_are_refused) {
  const auto refused = [](const std::vector<Made>& ops, size_t literals, size_t size) {
    return code_of(payload_of(ops, Bytes(literals, 'x')), size) == ErrorCode::CODEC;
  };
  CHECK(refused({{0, 101, 0}}, 0, 101));                 // past the end
  CHECK(refused({{0, 50, INT32_MAX}}, 0, 50));           // far past it
  CHECK(refused({{0, 50, -1}}, 0, 50));                  // before the start
  CHECK(refused({{0, 50, -INT32_MAX}}, 0, 50));          // far before it
  CHECK(refused({{0, UINT32_MAX, 0}}, 0, 50));           // more than the content
  CHECK(refused({{UINT32_MAX, UINT32_MAX, 0}}, 0, 50));  // a sum that would wrap
  CHECK(refused({{0, 60, 0}, {0, 60, -60}}, 0, 100));    // together too much
  CHECK(refused({{0, 60, 0}}, 0, 100));                  // too little
  CHECK(refused({{9, 60, 0}}, 5, 69));                   // missing new bytes
  CHECK(refused({{5, 60, 0}}, 9, 65));                   // new bytes nobody takes
  CHECK(refused({{0, 60, 0}, {0, 0, 0}}, 0, 60));        // an operation of nothing
  CHECK(refused({}, 0, 1));                              // no operation
}

TEST(unknown_versions_and_codings_are_named) {
  Bytes payload = payload_of({{0, 60, 0}}, {});
  CHECK(code_of(payload, 60) == ErrorCode::kNone);
  payload[0] = dwcp::delta::kVersion + 1;
  CHECK(code_of(payload, 60) == ErrorCode::FRAME_VERSION);
  CHECK(code_of(payload_of({{0, 60, 0}}, {}, 4), 60) == ErrorCode::CODEC);
  CHECK(code_of({}, 0) == ErrorCode::FRAME_VERSION);
}

TEST(every_truncation_and_every_flip_ends_in_a_code_or_in_bytes) {
  ContextPool pool;
  const Bytes base = sample(3'000, 1, 20);
  Bytes next = base;
  for (size_t at = 100; at < next.size(); at += 300) next[at] ^= 0x55;
  next.insert(next.begin() + 500, next.begin() + 2'000, next.begin() + 2'400);
  BaseIndex index;
  CHECK(BaseIndex::build(base, index).ok());
  Block block;
  CHECK(dwcp::delta::encode(pool, index, base, next, {}, block).ok());
  const Bytes payload(block.bytes().begin(), block.bytes().end());
  Bytes out(next.size());
  for (size_t size = 0; size < payload.size(); ++size) {
    const Bytes cut(payload.begin(), payload.begin() + static_cast<ptrdiff_t>(size));
    CHECK(!dwcp::delta::decode(pool, base, cut, {}, out).ok());
  }
  Bytes longer = payload;
  longer.push_back(0);
  CHECK(dwcp::delta::decode(pool, base, longer, {}, out).code == ErrorCode::CODEC);
  for (size_t at = 0; at < payload.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes damaged = payload;
      damaged[at] ^= static_cast<uint8_t>(1 << bit);
      static_cast<void>(dwcp::delta::decode(pool, base, damaged, {}, out).ok());
    }
  }
}
