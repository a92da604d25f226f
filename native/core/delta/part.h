// A part of a delta payload: bytes stored raw or as one zstd frame without magic, content size or
// checksum, optionally against a prefix. Its stored form starts with a varint of twice the stored
// size, plus one when it is a zstd frame. The decoded size is known from elsewhere.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/column.h"
#include "core/codec/context_pool.h"
#include "core/delta/varint.h"
#include "core/error_code.h"

namespace dwcp::delta {

/// Largest window of a part's frame, log2 bytes.
inline constexpr int kMaxPartWindowLog = 23;

/// How hard a part is compressed; from `kQuick` up each takes several times as long as the one
/// below.
enum class Strength : uint8_t { kQuick, kGreedy, kLazy, kThorough, kOptimal, kUltra };

/// What compressing a part may take in memory besides its bytes.
struct PartMemory {
  /// log2 of the most entries of a match finder's table.
  unsigned table_log = 30;
  /// Bytes of the largest block: what is found is kept until a block is written.
  int block_size = 128 << 10;

  /// A fraction of a content of `size` bytes.
  static PartMemory beside(size_t size);
};

/// How a part is compressed.
struct PartSettings {
  Strength strength = Strength::kQuick;
  PartMemory memory = {};
};

/// Appends the stored form of `bytes` to `out`.
Status store_part(codec::ContextPool& pool, std::span<const uint8_t> bytes,
                  std::span<const uint8_t> prefix, const PartSettings& settings,
                  codec::Column<uint8_t>& out);

/// Decodes the part at `reader` into exactly `target`. `max_window_log` is the caller's limit.
Status load_part(codec::ContextPool& pool, Reader& reader, std::span<const uint8_t> prefix,
                 int max_window_log, std::span<uint8_t> target);

/// The greatest strength that codes `size` bytes against `prefix_size` within about `budget_ns`.
Strength strength_within(size_t size, size_t prefix_size, double budget_ns);

}  // namespace dwcp::delta
