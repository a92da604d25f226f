// Reads JavaScript arguments. Values are checked, never coerced, so no caller's code runs; a failed
// read leaves a pending ERR_DWCP_INVALID_ARG. Read scalars first and bytes last: a pointer stays
// good only while no JavaScript runs. A span over bytes is valid until the call returns, or for as
// long as the operation holds the value.
#pragma once

#include <napi.h>

#include <cstdint>
#include <span>

#include "core/error_code.h"

namespace dwcp::binding {

/// Whether the bytes are used only during the call or also after it.
enum class Use : uint8_t { kDuringCall, kAfterCall };

/// Throws a plain Error with the status's code and message.
void throw_status(Napi::Env env, const Status& status);

/// The same with a property `record`, the index of the record of a batch that is at fault.
void throw_status(napi_env env, const Status& status, size_t record);

/// A plain Error with the status's code and message; null during teardown.
napi_value make_error(napi_env env, const Status& status);

/// Gives `error` the property `record`.
void name_record(napi_env env, napi_value error, size_t record);

/// Reads an integer within [min, max]. `message` says what is wrong otherwise.
bool read_integer(napi_env env, napi_value value, int64_t min, int64_t max, const char* message,
                  int64_t& out);
bool read_integer(const Napi::CallbackInfo& info, size_t index, int64_t min, int64_t max,
                  const char* message, int64_t& out);

/// Reads a Uint8Array over an attached, unshared ArrayBuffer; for use after the call also a
/// fixed-length one.
bool read_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                std::span<const uint8_t>& out);

bool read_bytes(napi_env env, napi_value value, Use use, std::span<const uint8_t>& out);

/// The same for memory to write to.
bool read_target(napi_env env, napi_value value, Use use, std::span<uint8_t>& out);

/// The same for a Uint32Array.
bool read_words(napi_env env, napi_value value, Use use, std::span<uint32_t>& out);

/// The same, and `undefined` reads as an empty span.
bool read_optional_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                         std::span<const uint8_t>& out);

}  // namespace dwcp::binding
