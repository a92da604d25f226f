// What one JavaScript environment owns.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>

#include "core/codec/context_pool.h"

namespace dwcp::binding {

/// Node finishes the pool work of an environment before it finalizes this, so operations refer to
/// the contexts without sharing them.
struct Instance {
  codec::ContextPool pool;
  /// Bytes of match indexes alive; shared with them, since either may be finalized first.
  std::shared_ptr<std::atomic<size_t>> index_bytes = std::make_shared<std::atomic<size_t>>(0);
};

inline Instance& instance_of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

}  // namespace dwcp::binding
