// Export and import of plain zstd frames for JavaScript.
#pragma once

#include <napi.h>

namespace dwcp::binding {

/// Adds the functions to `exports`.
void export_exchange(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
