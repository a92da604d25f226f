// TLS of the I/O engine for JavaScript: lib/native/addon-io.ts.
#pragma once

#include <napi.h>

namespace dwcp::binding {

void export_tls(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
