// A dictionary as a JavaScript object. The object owns it until it is released or collected;
// operations in flight own it, too. Its bytes are told to V8 and counted, what later levels add
// with the next call on the JavaScript thread.
#pragma once

#include <napi.h>

#include "core/codec/dictionary.h"
#include "core/shared.h"

namespace dwcp::binding {

using SharedDictionary = Shared<codec::Dictionary>;

/// Reads an optional dictionary: `undefined` reads as none. False with a pending
/// ERR_DWCP_INVALID_ARG for anything else that is no dictionary, ERR_DWCP_CLOSED for a released
/// one.
bool read_dictionary(const Napi::CallbackInfo& info, size_t argument, SharedDictionary& out);

/// Adds the dictionary functions to `exports`.
void export_dictionary(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
