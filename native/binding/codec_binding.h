// The codec functions of the addon; their TypeScript side is lib/native/addon-codec.ts.
#pragma once

#include <napi.h>

namespace dwcp::binding {

/// Adds the codec functions to `exports`.
void export_codec(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
