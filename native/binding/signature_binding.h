// The functions for peers without a common base; their TypeScript side is
// lib/native/addon-codec.ts.
#pragma once

#include <napi.h>

namespace dwcp::binding {

/// Adds them to `exports`.
void export_signature(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
