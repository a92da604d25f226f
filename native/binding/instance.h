// What one JavaScript environment owns.
#pragma once

#include <napi.h>

#include <atomic>

#include "core/codec/context_pool.h"
#include "core/codec/record_codec.h"
#include "core/shared.h"

namespace dwcp::binding {

/// Memory of the match indexes and dictionaries alive, bytes; shared with them, since either may be
/// finalized first.
struct IndexBytes {
  std::atomic<size_t> value = 0;
};

class IoHost;

/// Node finishes the pool work of an environment before it finalizes this, so operations refer to
/// the contexts without sharing them.
struct Instance {
  codec::ContextPool pool;
  /// For calls on the JavaScript thread.
  codec::RecordCodec records;
  Shared<IndexBytes> index_bytes = Shared<IndexBytes>::make();
  /// The I/O engine once it is used; its cleanup hook, which runs before this is freed, ends it.
  IoHost* io = nullptr;
};

inline Instance& instance_of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

}  // namespace dwcp::binding
