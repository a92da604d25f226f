// See decoder.h.
#include "core/delta/decoder.h"

#include <algorithm>
#include <cstring>

#include "core/delta/base_index.h"
#include "core/delta/part.h"
#include "core/delta/segment.h"
#include "core/delta/varint.h"

namespace dwcp::delta {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a delta."};
constexpr Status kTooManyOps{ErrorCode::LIMIT, "The delta has more operations than maxOps allows."};

constexpr Status corrupt(const char* message) { return {ErrorCode::CODEC, message}; }

/// Bytes made before they are hashed: they must still be in the second-level cache.
constexpr size_t kHashStep = size_t{256} << 10;

/// Copies `size` bytes; short ones, which are most, as one word pair where both sides have room.
inline void copy_run(uint8_t* to, const uint8_t* from, size_t size, size_t room) {
  constexpr size_t kPair = 16;
  if (size <= kPair && room >= kPair) {
    std::memcpy(to, from, kPair);
  } else {
    std::memcpy(to, from, size);
  }
}

/// The bytes of a segment's parts; memory is used again for the next segment.
struct Parts {
  codec::Column<uint8_t> columns;
  codec::Column<uint8_t> literals;
  codec::Column<uint8_t> differences;
  codec::Column<uint8_t> prefix;
  codec::Column<Op> ops;
};

class Decoder {
 public:
  Decoder(codec::ContextPool& pool, std::span<const uint8_t> base, Reader reader,
          const DecodeLimits& limits, std::span<uint8_t> target, bool hashed)
      : pool_(pool),
        base_(base),
        reader_(reader),
        limits_(limits),
        target_(target),
        hashed_(hashed) {}

  simd::Digest128 digest() const { return hash_.digest(); }

  Status run() {
    if (reader_.byte() != kVersion) {
      return {ErrorCode::FRAME_VERSION, "The delta is of an unknown version."};
    }
    while (made_ < target_.size()) {
      if (const Status status = segment(); !status.ok()) return status;
    }
    return reader_.at_end() ? Status{} : corrupt("The delta is corrupt: trailing bytes.");
  }

 private:
  Status segment() {
    const size_t op_count = reader_.varint();
    const uint32_t coding = reader_.byte();
    const std::array<size_t, 3> sizes{reader_.varint(), reader_.varint(), reader_.varint()};
    if (!reader_.ok()) return corrupt("The delta is corrupt: truncated.");
    if (op_count > limits_.max_ops - ops_seen_) return kTooManyOps;
    ops_seen_ += op_count;
    // Every operation makes at least a byte, so this bounds the columns by the content, too.
    if (op_count == 0 || op_count > kMaxSegmentOps || op_count > target_.size() - made_ ||
        coding > Coding::kLargest) {
      return corrupt("The delta is corrupt: segment header.");
    }
    for (const size_t size : sizes) {
      if (size > op_count * kMaxVarintSize) return corrupt("The delta is corrupt: column size.");
    }
    Status status = load_ops(op_count, sizes);
    if (!status.ok()) return status;
    const Walk walk(Coding::from_byte(coding), base_end_, target_.size());
    status = load_bytes(walk);
    if (!status.ok()) return status;
    rebuild(walk);
    return {};
  }

  /// Reads and checks the operations: none leaves base or content.
  Status load_ops(size_t op_count, const std::array<size_t, 3>& sizes) {
    parts_.columns.clear();
    const auto room = parts_.columns.extend(sizes[0] + sizes[1] + sizes[2]);
    if (parts_.columns.failed()) return kNoMemory;
    size_t at = 0;
    for (const size_t size : sizes) {
      const Status status =
          load_part(pool_, reader_, {}, limits_.max_window_log, room.subspan(at, size));
      if (!status.ok()) return status;
      at += size;
    }
    Reader literal_sizes(room.first(sizes[0]));
    Reader copy_sizes(room.subspan(sizes[0], sizes[1]));
    Reader offsets(room.last(sizes[2]));

    parts_.ops.clear();
    const auto ops = parts_.ops.extend(op_count);
    if (parts_.ops.failed()) return kNoMemory;
    size_t left = target_.size() - made_;
    int64_t base_end = static_cast<int64_t>(base_end_);
    for (Op& op : ops) {
      op = {literal_sizes.varint(), copy_sizes.varint(), 0};
      const uint64_t size = uint64_t{op.literal} + op.copy;
      if (size == 0 || size > left) return corrupt("The delta is corrupt: operation size.");
      left -= size;
      if (op.copy == 0) continue;
      const int64_t from = base_end + op.literal + unzigzag(offsets.varint());
      if (from < 0 || from > static_cast<int64_t>(base_.size()) - op.copy) {
        return corrupt("The delta is corrupt: a copy leaves the base.");
      }
      op.from = static_cast<uint32_t>(from);
      base_end = from + op.copy;
    }
    const bool exact = literal_sizes.ok() && copy_sizes.ok() && offsets.ok() &&
                       literal_sizes.at_end() && copy_sizes.at_end() && offsets.at_end();
    return exact ? Status{} : corrupt("The delta is corrupt: columns.");
  }

  /// Reads the new bytes. `walk` is at the segment's start and is not moved.
  Status load_bytes(Walk walk) {
    size_t literals = 0;
    size_t differences = 0;
    parts_.prefix.clear();
    for (const Op& op : parts_.ops.values()) {
      if (walk.is_difference(op)) {
        differences += op.literal;
      } else {
        literals += op.literal;
        walk.append_context(base_, op, parts_.prefix);
      }
      walk.advance(op);
    }
    parts_.literals.clear();
    parts_.differences.clear();
    const auto fresh = parts_.literals.extend(literals);
    const auto changes = parts_.differences.extend(differences);
    if (parts_.literals.failed() || parts_.differences.failed() || parts_.prefix.failed()) {
      return kNoMemory;
    }
    const Status status =
        load_part(pool_, reader_, parts_.prefix.values(), limits_.max_window_log, fresh);
    if (!status.ok() || !walk.coding().differences) return status;
    return load_part(pool_, reader_, {}, limits_.max_window_log, changes);
  }

  void rebuild(Walk walk) {
    const auto literals = parts_.literals.values();
    const auto differences = parts_.differences.values();
    size_t literal_at = 0;
    size_t difference_at = 0;
    for (const Op& op : parts_.ops.values()) {
      uint8_t* to = target_.data() + made_;
      if (walk.is_difference(op)) {
        simd::add_bytes(to, base_.data() + walk.base_end(), differences.data() + difference_at,
                        op.literal);
        difference_at += op.literal;
      } else if (op.literal > 0) {
        const size_t room = std::min(target_.size() - made_, literals.size() - literal_at);
        copy_run(to, literals.data() + literal_at, op.literal, room);
        literal_at += op.literal;
      }
      made_ += op.literal;
      if (op.copy > 0) copy(op.from, op.copy);
      walk.advance(op);
    }
    base_end_ = walk.base_end();
    hash_to(made_);
  }

  /// Copies from the base, a stretch at a time, so that each is hashed before it leaves the cache.
  void copy(size_t from, size_t size) {
    while (size > 0) {
      const size_t step = std::min(size, kHashStep);
      const size_t room = std::min(target_.size() - made_, base_.size() - from);
      copy_run(target_.data() + made_, base_.data() + from, step, room);
      made_ += step;
      from += step;
      size -= step;
      if (made_ - hash_end_ >= kHashStep) hash_to(made_);
    }
  }

  void hash_to(size_t end) {
    if (hashed_) hash_.update(target_.subspan(hash_end_, end - hash_end_));
    hash_end_ = end;
  }

  codec::ContextPool& pool_;
  std::span<const uint8_t> base_;
  Reader reader_;
  DecodeLimits limits_;
  std::span<uint8_t> target_;
  Parts parts_;
  size_t made_ = 0;
  size_t base_end_ = 0;
  size_t ops_seen_ = 0;
  simd::Xxh3Stream hash_;
  size_t hash_end_ = 0;
  bool hashed_;
};

}  // namespace

Status decode(codec::ContextPool& pool, std::span<const uint8_t> base,
              std::span<const uint8_t> payload, const DecodeLimits& limits,
              std::span<uint8_t> target, simd::Digest128* digest) {
  if (base.size() > kMaxSize || target.size() > kMaxSize) {
    return {ErrorCode::LIMIT, "Base or content is too large for a delta."};
  }
  Decoder decoder(pool, base, Reader(payload), limits, target, digest != nullptr);
  const Status status = decoder.run();
  if (status.ok() && digest != nullptr) *digest = decoder.digest();
  return status;
}

}  // namespace dwcp::delta
