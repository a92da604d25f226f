// A dictionary as a JavaScript object with two functions of its own, `encode` and `decode`
// (record_binding.h), which find it without a look at their arguments. The object owns it until it
// is released or collected; operations in flight own it, too. Its bytes are told to V8 and counted,
// what later levels add with the next call on the JavaScript thread.
#pragma once

#include <napi.h>

#include "binding/instance.h"
#include "core/codec/dictionary.h"
#include "core/shared.h"

namespace dwcp::binding {

using SharedDictionary = Shared<codec::Dictionary>;

/// What an object and its functions share; used on the JavaScript thread only.
struct DictionaryState {
  SharedDictionary dictionary;
  Shared<IndexBytes> total;
  size_t counted = 0;

  /// Tells V8 of what came since the last time.
  void account(napi_env env);
  void release(napi_env env);
};

/// Reads an optional dictionary: `undefined` reads as none. False with a pending
/// ERR_DWCP_INVALID_ARG for anything else that is no dictionary, ERR_DWCP_CLOSED for a released
/// one.
bool read_dictionary(napi_env env, napi_value value, SharedDictionary& out);

/// The dictionary behind a function's data, null data for none. False with a pending
/// ERR_DWCP_CLOSED when it was released.
bool own_dictionary(napi_env env, void* data, const codec::Dictionary*& out);

/// Adds the dictionary functions to `exports`.
void export_dictionary(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
