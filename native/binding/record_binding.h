// Records in the short form: one crossing each, or one for many. Their TypeScript side is
// lib/native/addon-records.ts.
#pragma once

#include <napi.h>

namespace dwcp::binding {

/// `encode(content, target, settings)` and `decode(frame, target, maxOutput)` give the bytes
/// written; the function's data names the dictionary, if any. They allocate nothing.
napi_value record_encode(napi_env env, napi_callback_info info);
napi_value record_decode(napi_env env, napi_callback_info info);

/// Adds the record functions to `exports`.
void export_records(Napi::Env env, Napi::Object exports);

/// Adds the functions for batches to `exports`.
void export_batches(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
