// The codec functions of the addon; their TypeScript side is lib/native/addon-codec.ts.
#pragma once

#include <napi.h>

#include "core/codec/context_pool.h"

namespace dwcp::binding {

/// What one JavaScript environment owns. Node finishes the pool work of an environment before it
/// finalizes this, so operations refer to the contexts without sharing them.
struct Instance {
  codec::ContextPool pool;
};

/// Adds the codec functions to `exports`.
void export_codec(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
