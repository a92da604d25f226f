// A zstd dictionary in native memory: the bytes once, their digested form for reading, and one for
// writing per level, made at the level's first use and kept as long as the dictionary. Raw content
// and trained dictionaries alike. Thread-safe; owners share it, so that it outlives every call.
#pragma once

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "core/codec/block.h"
#include "core/codec/record_index.h"
#include "core/error_code.h"
#include "core/shared.h"

namespace dwcp::codec {

inline constexpr int kMinLevel = -50;
inline constexpr int kMaxLevel = 19;
inline constexpr int kDefaultLevel = 3;

/// What is shorter than this zstd silently ignores.
inline constexpr size_t kMinDictionaryBytes = 8;
inline constexpr size_t kMaxDictionaryBytes = size_t{16} << 20;

class Dictionary {
 public:
  Dictionary() = default;
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;
  ~Dictionary();

  /// A dictionary of a copy of `bytes` under `id`, which is not 0. DICTIONARY_INVALID for bytes
  /// that are too few, too many, or begin like a trained dictionary and are none.
  static Status make(std::span<const uint8_t> bytes, uint32_t id, Shared<Dictionary>& out);

  uint32_t id() const { return id_; }
  const ZSTD_DDict* decoder() const { return decoder_; }

  /// For writing at `level`, which must be within [kMinLevel, kMaxLevel]; null when memory is
  /// short.
  const ZSTD_CDict* encoder(int level) const;

  /// What records, content of at most 64 KiB, are written with at `level`; null where that is
  /// `encoder`.
  const RecordIndex* record_index(int level) const {
    return indexed_[static_cast<size_t>(level - kMinLevel)] ? index_.get() : nullptr;
  }

  /// Memory held, bytes. Grows with the first use of a level.
  size_t size_bytes() const { return size_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kLevels = kMaxLevel - kMinLevel + 1;

  std::span<const uint8_t> bytes() const;

  Block memory_;  // the bytes between margins
  uint32_t id_ = 0;
  ZSTD_DDict* decoder_ = nullptr;
  mutable std::mutex mutex_;  // held while an encoder is made
  mutable std::array<std::atomic<ZSTD_CDict*>, kLevels> encoders_{};
  std::unique_ptr<RecordIndex> index_;
  std::bitset<kLevels> indexed_;
  mutable std::atomic<size_t> size_ = 0;
};

}  // namespace dwcp::codec
