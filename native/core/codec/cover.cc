// See cover.h.
#include "core/codec/cover.h"

#include <algorithm>
#include <cstring>

namespace dwcp::codec {
namespace {

constexpr int kHashBits = 20;
constexpr size_t kHashes = size_t{1} << kHashBits;
/// Readable bytes a d-mer needs, whatever its length.
constexpr size_t kLoadBytes = 8;
/// Parts without a shared d-mer, one after the other, after which the rest is taken to be the same.
constexpr size_t kMaxIdleParts = 10;
/// Least size of the part a segment is chosen from, in segments.
constexpr uint32_t kMinPartSegments = 10;

bool reset(auto& column, size_t size) {
  column.clear();
  const auto room = column.extend(size);
  if (room.empty()) return false;
  std::memset(room.data(), 0, room.size_bytes());
  return true;
}

}  // namespace

uint32_t Cover::hash(size_t position) const {
  uint64_t word = 0;
  std::memcpy(&word, bytes_.data() + position, sizeof word);
  if (dmer_bytes_ == 6) word <<= 16;
  return static_cast<uint32_t>((word * 0xCF1BBCDCB7A56463u) >> (64 - kHashBits));
}

bool Cover::count(const Samples& samples, uint32_t dmer_bytes) {
  bytes_ = samples.bytes;
  dmer_bytes_ = dmer_bytes;
  dmers_ = bytes_.size() < kLoadBytes ? 0 : static_cast<uint32_t>(bytes_.size() - kLoadBytes + 1);
  Column<uint32_t> seen;  // by hash: 1 + the latest record that holds the d-mer
  if (!reset(shared_, kHashes) || !reset(seen, kHashes)) return false;
  size_t at = 0;
  samples.for_each([&](size_t index, std::span<const uint8_t> record) {
    for (size_t i = 0; i + kLoadBytes <= record.size(); ++i) {
      const uint32_t slot = hash(at + i);
      const uint32_t mark = static_cast<uint32_t>(index) + 1;
      if (seen[slot] == mark) continue;
      if (seen[slot] != 0) ++shared_[slot];
      seen[slot] = mark;
    }
    at += record.size();
  });
  return true;
}

size_t Cover::select(uint32_t segment_bytes, std::span<uint8_t> content) {
  Column<Segment> chosen;
  left_.clear();
  left_.append(shared_.values());
  if (left_.failed() || !reset(in_window_, kHashes)) return 0;
  choose(segment_bytes, content.size(), chosen);
  if (chosen.failed() || chosen.empty()) return 0;
  size_t tail = content.size();
  for (const Segment& segment : chosen.values()) {
    const size_t size = std::min<size_t>(segment.end - segment.begin + dmer_bytes_ - 1, tail);
    tail -= size;
    std::memcpy(content.data() + tail, bytes_.data() + segment.begin, size);
  }
  return content.size() - tail;
}

void Cover::choose(uint32_t segment_bytes, size_t room, Column<Segment>& chosen) {
  if (dmers_ == 0) return;
  const auto wanted = static_cast<uint32_t>(std::max<size_t>(1, room / segment_bytes));
  const uint32_t part =
      std::min(dmers_, std::max(dmers_ / wanted, segment_bytes * kMinPartSegments));
  const uint32_t parts = dmers_ / part;
  size_t idle = 0;
  for (uint32_t at = 0; idle < kMaxIdleParts; at = (at + 1) % parts) {
    Segment segment = best_segment(at * part, (at + 1) * part, segment_bytes - dmer_bytes_ + 1);
    if (segment.score == 0) {
      ++idle;
      continue;
    }
    idle = 0;
    trim(segment);
    for (uint32_t i = segment.begin; i < segment.end; ++i) left_[hash(i)] = 0;
    chosen.push(segment);
    const size_t size = segment.end - segment.begin + dmer_bytes_ - 1;
    if (size >= room || chosen.failed()) return;
    room -= size;
  }
}

Cover::Segment Cover::best_segment(uint32_t begin, uint32_t end, uint32_t dmers) {
  Segment best;
  Segment window{begin, begin, 0};
  while (window.end < end) {
    const uint32_t in = hash(window.end++);
    if (in_window_[in]++ == 0) window.score += left_[in];
    if (window.end - window.begin > dmers) {
      const uint32_t out = hash(window.begin++);
      if (--in_window_[out] == 0) window.score -= left_[out];
    }
    if (window.score > best.score) best = window;
  }
  for (uint32_t i = window.begin; i < window.end; ++i) --in_window_[hash(i)];
  return best;
}

void Cover::trim(Segment& segment) const {
  while (left_[hash(segment.begin)] == 0) ++segment.begin;
  while (left_[hash(segment.end - 1)] == 0) --segment.end;
}

}  // namespace dwcp::codec
