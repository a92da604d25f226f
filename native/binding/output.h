// Hands native memory to JavaScript as a Buffer.
#pragma once

#include <napi.h>

#include <span>

#include "core/codec/block.h"

namespace dwcp::binding {

/// A Buffer of `size` bytes of unspecified content to decode into; null with a pending exception
/// when memory is short.
napi_value allocate_buffer(Napi::Env env, size_t size, std::span<uint8_t>& target);

/// A Buffer with a copy of `block`. Right for synchronous calls at any size: the finalizers of
/// external Buffers run only when the event loop turns, so a loop of calls would pile their memory
/// up.
napi_value copy_to_buffer(Napi::Env env, const codec::Block& block);

/// A Buffer over `block` itself when it is large and the runtime allows that, a copy otherwise. V8
/// counts the bytes as external memory either way.
napi_value move_to_buffer(Napi::Env env, codec::Block block);

}  // namespace dwcp::binding
