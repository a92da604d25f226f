// See dictionary_object.h.
#include "binding/dictionary_object.h"

#include <memory>
#include <span>

#include "binding/arguments.h"
#include "binding/record_binding.h"

namespace dwcp::binding {
namespace {

using SharedState = Shared<DictionaryState>;

constexpr Status kReleased{ErrorCode::CLOSED, "The dictionary was released."};
constexpr Status kClosing{ErrorCode::CLOSED, "The environment is closing."};

/// Marks our objects, so that no other wrapped object is taken for one.
constexpr napi_type_tag kTag{0x6477637064696374, 0x696f6e6172793031};

void finalize_object(napi_env env, void* data, void* /*hint*/) {
  const std::unique_ptr<SharedState> state(static_cast<SharedState*>(data));
  (*state)->release(env);
}

void finalize_function(napi_env /*env*/, void* data, void* /*hint*/) {
  const std::unique_ptr<SharedState> state(static_cast<SharedState*>(data));
}

DictionaryState* state_of(napi_env env, napi_value value) {
  bool ours = false;
  void* data = nullptr;
  const bool found = napi_check_object_type_tag(env, value, &kTag, &ours) == napi_ok && ours &&
                     napi_unwrap(env, value, &data) == napi_ok;
  if (found) return &**static_cast<SharedState*>(data);
  bool thrown = false;  // the check throws for what is no object
  napi_value error = nullptr;
  napi_is_exception_pending(env, &thrown);
  if (thrown) napi_get_and_clear_last_exception(env, &error);
  throw_status(env, {ErrorCode::INVALID_ARG, "The dictionary must be one of zstdDictionary."});
  return nullptr;
}

/// A function on `object` whose data is the state.
bool add_function(napi_env env, napi_value object, const char* name, napi_callback callback,
                  const SharedState& state) {
  auto data = std::make_unique<SharedState>(state);
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data.get(), &function) !=
          napi_ok ||
      napi_add_finalizer(env, function, data.get(), finalize_function, nullptr, nullptr) !=
          napi_ok) {
    return false;
  }
  data.release();  // owned by the function
  return napi_set_named_property(env, object, name, function) == napi_ok;
}

napi_value wrap(napi_env env, const SharedState& state) {
  auto data = std::make_unique<SharedState>(state);
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok ||
      napi_type_tag_object(env, object, &kTag) != napi_ok ||
      napi_wrap(env, object, data.get(), finalize_object, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  data.release();  // owned by the object
  const bool whole = add_function(env, object, "encode", record_encode, state) &&
                     add_function(env, object, "decode", record_decode, state);
  return whole ? object : nullptr;
}

/// Arguments: bytes, id.
Napi::Value make(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int64_t id = 0;
  std::span<const uint8_t> bytes;
  if (!read_integer(info, 1, 1, UINT32_MAX, "The id must be an integer from 1 to 2^32-1.", id) ||
      !read_bytes(info, 0, Use::kDuringCall, bytes)) {
    return {};
  }
  const auto state = SharedState::make();
  state->total = instance_of(env).index_bytes;
  const Status status =
      codec::Dictionary::make(bytes, static_cast<uint32_t>(id), state->dictionary);
  if (!status.ok()) {
    throw_status(env, status);
    return {};
  }
  const napi_value object = wrap(env, state);
  if (object == nullptr) {
    throw_status(env, kClosing);
    return {};
  }
  state->account(env);
  return {env, object};
}

Napi::Value release(const Napi::CallbackInfo& info) {
  if (DictionaryState* state = state_of(info.Env(), info[0])) state->release(info.Env());
  return info.Env().Undefined();
}

/// Size of the dictionary an object holds, bytes; 0 when it was released.
Napi::Value size(const Napi::CallbackInfo& info) {
  DictionaryState* state = state_of(info.Env(), info[0]);
  if (state == nullptr) return {};
  state->account(info.Env());
  return Napi::Number::New(info.Env(), static_cast<double>(state->counted));
}

}  // namespace

void DictionaryState::account(napi_env env) {
  const size_t size = dictionary ? dictionary->size_bytes() : 0;
  if (size == counted) return;
  total->value += size - counted;
  int64_t adjusted = 0;
  napi_adjust_external_memory(env, static_cast<int64_t>(size - counted), &adjusted);
  counted = size;
}

void DictionaryState::release(napi_env env) {
  dictionary.reset();
  account(env);
}

bool read_dictionary(napi_env env, napi_value value, SharedDictionary& out) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_undefined) return true;
  DictionaryState* state = state_of(env, value);
  if (state == nullptr) return false;
  if (!state->dictionary) {
    throw_status(env, kReleased);
    return false;
  }
  state->account(env);
  out = state->dictionary;
  return true;
}

bool own_dictionary(napi_env env, void* data, const codec::Dictionary*& out) {
  out = nullptr;
  if (data == nullptr) return true;
  DictionaryState& state = **static_cast<SharedState*>(data);
  if (!state.dictionary) {
    throw_status(env, kReleased);
    return false;
  }
  state.account(env);
  out = &*state.dictionary;
  return true;
}

void export_dictionary(Napi::Env env, Napi::Object exports) {
  exports["zstdDictionary"] = Napi::Function::New<make>(env, "zstdDictionary");
  exports["zstdDictionarySize"] = Napi::Function::New<size>(env, "zstdDictionarySize");
  exports["zstdDictionaryRelease"] = Napi::Function::New<release>(env, "zstdDictionaryRelease");
}

}  // namespace dwcp::binding
