// The delta functions of the addon; their TypeScript side is lib/native/addon-codec.ts.
#pragma once

#include <napi.h>

namespace dwcp::binding {

/// Adds the delta functions to `exports`.
void export_delta(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
