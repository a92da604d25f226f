// Free lists of zstd contexts. Making a context costs more than compressing a kilobyte, so they are
// reused. One pool per JavaScript environment, shared by its thread and its pool workers; idle
// memory is bounded.
#pragma once

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <array>
#include <cstddef>
#include <mutex>
#include <new>

#include "core/codec/page_memory.h"
#include "core/codec/record_codec.h"

namespace dwcp::codec {

/// Idle contexts kept of each kind, and the memory they may hold together; what is more is freed.
inline constexpr size_t kMaxIdleContexts = 8;
inline constexpr size_t kMaxIdleBytes = size_t{64} << 20;

/// zstd's functions for one kind of context.
struct CompressKind {
  using Context = ZSTD_CCtx;
  static Context* create() { return ZSTD_createCCtx_advanced(page_memory()); }
  static void destroy(Context* context) { ZSTD_freeCCtx(context); }
  static size_t size_bytes(const Context* context) { return ZSTD_sizeof_CCtx(context); }
  static void reset(Context* context) {
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  }
};

struct DecompressKind {
  using Context = ZSTD_DCtx;
  static Context* create() { return ZSTD_createDCtx(); }
  static void destroy(Context* context) { ZSTD_freeDCtx(context); }
  static size_t size_bytes(const Context* context) { return ZSTD_sizeof_DCtx(context); }
  static void reset(Context* context) {
    ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters);
  }
};

/// Both contexts and the scratch space of records; nothing of a call stays in them.
struct RecordKind {
  using Context = RecordCodec;
  static Context* create() { return new (std::nothrow) RecordCodec; }
  static void destroy(Context* context) { delete context; }
  static size_t size_bytes(const Context* context) { return context->size_bytes(); }
  static void reset(Context* /*context*/) {}
};

/// Reusable contexts of one kind. Thread-safe.
template <typename Kind>
class FreeList {
 public:
  using Context = typename Kind::Context;

  /// A context for one operation; it goes back by itself. Null when memory is short.
  class Lease {
   public:
    Lease(FreeList& list, Context* context) : list_(list), context_(context) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (context_ != nullptr) list_.give_back(context_);
    }
    Context* get() const { return context_; }

   private:
    FreeList& list_;
    Context* context_;
  };

  FreeList() = default;
  FreeList(const FreeList&) = delete;
  FreeList& operator=(const FreeList&) = delete;
  ~FreeList() {
    for (size_t i = 0; i < count_; ++i) Kind::destroy(idle_[i]);
  }

  Lease lease() {
    {
      const std::lock_guard lock(mutex_);
      if (count_ > 0) {
        Context* context = idle_[--count_];
        bytes_ -= Kind::size_bytes(context);
        return Lease(*this, context);
      }
    }
    return Lease(*this, Kind::create());
  }

  size_t idle_bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  void give_back(Context* context) {
    Kind::reset(context);  // drops the prefix, which belongs to the caller
    const size_t size = Kind::size_bytes(context);
    {
      const std::lock_guard lock(mutex_);
      if (count_ < kMaxIdleContexts && bytes_ + size <= kMaxIdleBytes) {
        idle_[count_++] = context;
        bytes_ += size;
        return;
      }
    }
    Kind::destroy(context);
  }

  mutable std::mutex mutex_;
  std::array<Context*, kMaxIdleContexts> idle_{};
  size_t count_ = 0;
  size_t bytes_ = 0;
};

/// All kinds of context.
struct ContextPool {
  FreeList<CompressKind> compress;
  FreeList<DecompressKind> decompress;
  FreeList<RecordKind> records;

  /// Memory held by idle contexts, bytes.
  size_t idle_bytes() const {
    return compress.idle_bytes() + decompress.idle_bytes() + records.idle_bytes();
  }
};

}  // namespace dwcp::codec
