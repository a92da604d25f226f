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

/// Reads an integer within [min, max]. `message` says what is wrong otherwise.
bool read_integer(const Napi::CallbackInfo& info, size_t index, int64_t min, int64_t max,
                  const char* message, int64_t& out);

/// Reads a Uint8Array over an attached, unshared ArrayBuffer; for use after the call also a
/// fixed-length one.
bool read_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                std::span<const uint8_t>& out);

/// The same, and `undefined` reads as an empty span.
bool read_optional_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                         std::span<const uint8_t>& out);

}  // namespace dwcp::binding
