// A match index as a JavaScript object. The object owns it until it is released or collected;
// operations in flight own it, too, so neither takes it away from under them. Its bytes are told to
// V8 and counted.
#pragma once

#include <napi.h>

#include "core/delta/base_index.h"
#include "core/shared.h"

namespace dwcp::binding {

/// Nobody changes an index once it is built.
using SharedIndex = Shared<delta::BaseIndex>;

/// An object that owns `index`; null with a pending exception when that fails.
napi_value wrap_index(Napi::Env env, SharedIndex index);

/// The index of an object made by `wrap_index`; empty with a pending ERR_DWCP_INVALID_ARG for
/// anything else and ERR_DWCP_CLOSED when it was released.
SharedIndex read_index(const Napi::CallbackInfo& info, size_t argument);

/// Gives up the object's share of its index now.
Napi::Value release_index(const Napi::CallbackInfo& info);

/// Size of the index an object holds, bytes; 0 when it was released.
Napi::Value index_size(const Napi::CallbackInfo& info);

}  // namespace dwcp::binding
