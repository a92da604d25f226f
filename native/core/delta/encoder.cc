// See encoder.h.
#include "core/delta/encoder.h"

#include <algorithm>

#include "core/delta/costs.h"
#include "core/delta/part.h"
#include "core/delta/prune.h"
#include "core/delta/segment.h"
#include "core/delta/varint.h"

namespace dwcp::delta {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a delta."};
using Bytes = codec::Column<uint8_t>;

/// What of one segment is stored; each goes as soon as it is.
struct Parts {
  Bytes literal_sizes;
  Bytes copy_sizes;
  Bytes offsets;
  Bytes literals;
  Bytes differences;
  Bytes prefix;

  void clear() {
    for (Bytes* part : {&literal_sizes, &copy_sizes, &offsets, &literals, &differences, &prefix}) {
      part->clear();
    }
  }
  bool failed() const {
    return literal_sizes.failed() || copy_sizes.failed() || offsets.failed() || literals.failed() ||
           differences.failed() || prefix.failed();
  }
};

class SegmentWriter {
 public:
  SegmentWriter(codec::ContextPool& pool, std::span<const uint8_t> base,
                std::span<const uint8_t> content, Content kind, Effort effort, Bytes& out)
      : pool_(pool),
        base_(base),
        content_(content),
        kind_(kind),
        budget_(effort, content.size()),
        memory_(PartMemory::beside(content.size())),
        out_(out) {}

  /// Where the last copy written ended.
  size_t base_end() const { return base_end_; }

  /// Writes the operations that make the content from `content_at` on.
  /// They are gone before the parts are compressed.
  Status write(codec::Column<Op> ops, size_t content_at) {
    const size_t op_count = ops.size();
    const Coding coding = choose(ops.values(), content_at);
    split(ops.values(), content_at, coding);
    ops = {};
    return parts_.failed() ? kNoMemory : store(op_count, coding);
  }

 private:
  Coding choose(std::span<const Op> ops, size_t content_at) const {
    CodingChoice choice;
    Walk walk({.differences = true}, base_end_, content_.size());
    size_t at = content_at;
    for (const Op& op : ops) {
      const bool counts = walk.is_difference(op);
      for (size_t i = 0; counts && i < op.literal; ++i) {
        choice.add(content_[at + i], base_[walk.base_end() + i]);
      }
      walk.advance(op);
      at += size_t{op.literal} + op.copy;
    }
    return {.differences = choice.prefers_differences(), .surroundings = kind_ == Content::kText};
  }

  void split(std::span<const Op> ops, size_t content_at, Coding coding) {
    parts_.clear();
    Walk walk(coding, base_end_, content_.size());
    reserve(ops, walk);
    size_t at = content_at;
    for (const Op& op : ops) {
      write_varint(parts_.literal_sizes, op.literal);
      write_varint(parts_.copy_sizes, op.copy);
      if (op.copy > 0) {
        const auto expected = static_cast<int64_t>(walk.base_end()) + op.literal;
        write_varint(parts_.offsets, zigzag(int64_t{op.from} - expected));
      }
      const auto fresh = content_.subspan(at, op.literal);
      if (walk.is_difference(op)) {
        const uint8_t* before = base_.data() + walk.base_end();
        for (size_t i = 0; i < fresh.size(); ++i) {
          parts_.differences.push(static_cast<uint8_t>(fresh[i] - before[i]));
        }
      } else {
        walk.append_context(base_, op, parts_.prefix);
        parts_.literals.append(fresh);
      }
      walk.advance(op);
      at += size_t{op.literal} + op.copy;
    }
    base_end_ = walk.base_end();
  }

  /// Room for the new bytes and their prefix: what grows step by step leaves as much again behind,
  /// and room that is not written takes no memory.
  void reserve(std::span<const Op> ops, Walk walk) {
    size_t literals = 0;
    size_t differences = 0;
    for (const Op& op : ops) {
      (walk.is_difference(op) ? differences : literals) += op.literal;
      walk.advance(op);
    }
    parts_.literals.reserve(literals);
    parts_.prefix.reserve(std::min(base_.size(), max_prefix(content_.size())));
    parts_.differences.reserve(differences);
  }

  Status store(size_t op_count, Coding coding) {
    Parts& parts = parts_;
    const size_t columns =
        parts.literal_sizes.size() + parts.copy_sizes.size() + parts.offsets.size();
    const size_t residual = parts.literals.size() + parts.differences.size();
    const PartSettings settings{budget_.take(columns + residual, parts.prefix.size()), memory_};
    write_varint(out_, op_count);
    out_.push(coding.to_byte());
    for (const Bytes* column : {&parts.literal_sizes, &parts.copy_sizes, &parts.offsets}) {
      write_varint(out_, column->size());
    }
    for (Bytes* part : {&parts.literal_sizes, &parts.copy_sizes, &parts.offsets, &parts.literals,
                        &parts.differences}) {
      if (part == &parts.differences && !coding.differences) break;
      const auto prefix =
          part == &parts.literals ? parts.prefix.values() : std::span<const uint8_t>{};
      const Status status = store_part(pool_, part->values(), prefix, settings, out_);
      if (!status.ok()) return status;
      *part = {};
    }
    return out_.failed() ? kNoMemory : Status{};
  }

  codec::ContextPool& pool_;
  std::span<const uint8_t> base_;
  std::span<const uint8_t> content_;
  Content kind_;
  Budget budget_;
  PartMemory memory_;
  Bytes& out_;
  Parts parts_;
  size_t base_end_ = 0;
};

/// Bounds of a segment, so that memory beside the content stays a fraction of it.
ScanBounds bounds_of(size_t content_size) {
  return {
      .max_ops = std::clamp(content_size / 128, kMaxSegmentOps / 64, kMaxSegmentOps),
      .max_literals = std::clamp(content_size / 8, kMaxSegmentLiterals / 16, kMaxSegmentLiterals)};
}

size_t literals_of(std::span<const Op> ops) {
  size_t sum = 0;
  for (const Op& op : ops) sum += op.literal;
  return sum;
}

}  // namespace

Status encode(codec::ContextPool& pool, const BaseIndex& index, std::span<const uint8_t> base,
              std::span<const uint8_t> content, const EncodeOptions& options,
              codec::Block& payload) {
  if (content.size() > kMaxSize) return {ErrorCode::LIMIT, "The content is too large for a delta."};
  if (index.base_size() != base.size()) {
    return {ErrorCode::INVALID_ARG, "The match index is of another base."};
  }
  const Content kind = classify(content);
  Scanner scanner(index, base, content, scan_options(kind, options.effort));
  Bytes out;
  SegmentWriter writer(pool, base, content, kind, options.effort, out);
  size_t literals = 0;
  out.push(kVersion);
  while (!scanner.done()) {
    const size_t start = scanner.covered();
    codec::Column<Op> ops;
    scanner.next(bounds_of(content.size()), ops);
    if (ops.failed()) return kNoMemory;
    literals += literals_of(ops.values());
    if (literals > options.max_literal_bytes) return {};
    const auto made = content.subspan(start, scanner.covered() - start);
    const float literal_bits = new_byte_bits(pool, made, writer.base_end(), ops.values());
    if (!prune(base, made, writer.base_end(), literal_bits, ops)) return kNoMemory;
    const Status status = writer.write(std::move(ops), start);
    if (!status.ok()) return status;
  }
  if (out.failed()) return kNoMemory;
  payload = codec::Block::adopt(out);
  return {};
}

}  // namespace dwcp::delta
