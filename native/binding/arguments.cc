// See arguments.h. The C functions of Node-API are used where the wrapper would create handles it
// does not need.
#include "binding/arguments.h"

namespace dwcp::binding {
namespace {

constexpr Status invalid(const char* message) { return {ErrorCode::INVALID_ARG, message}; }

/// True for a length-tracking or resizable buffer: it could shrink while a pool thread reads it.
bool is_resizable(napi_env env, napi_value buffer) {
  napi_value flag;
  bool resizable = false;
  if (napi_get_named_property(env, buffer, "resizable", &flag) != napi_ok) return true;
  napi_valuetype type;
  if (napi_typeof(env, flag, &type) != napi_ok || type != napi_boolean) return false;  // Node 20.0
  return napi_get_value_bool(env, flag, &resizable) != napi_ok || resizable;
}

/// What is wrong with the buffer under a view, or null.
const char* buffer_problem(napi_env env, napi_value buffer, Use use) {
  bool yes = false;
  if (napi_is_arraybuffer(env, buffer, &yes) != napi_ok || !yes) {
    return "Bytes over a SharedArrayBuffer are not accepted.";
  }
  if (napi_is_detached_arraybuffer(env, buffer, &yes) != napi_ok || yes) {
    return "Bytes over a detached ArrayBuffer are not accepted.";
  }
  if (use == Use::kAfterCall && is_resizable(env, buffer)) {
    return "Bytes over a resizable ArrayBuffer are not accepted.";
  }
  return nullptr;
}

}  // namespace

void throw_status(Napi::Env env, const Status& status) {
  napi_throw_error(env, name(status.code), status.message);
}

bool read_integer(const Napi::CallbackInfo& info, size_t index, int64_t min, int64_t max,
                  const char* message, int64_t& out) {
  double value = 0;
  const bool is_number = napi_get_value_double(info.Env(), info[index], &value) == napi_ok;
  // The comparison is false for NaN, and the bounds keep the cast defined.
  if (is_number && value >= static_cast<double>(min) && value <= static_cast<double>(max)) {
    out = static_cast<int64_t>(value);
    if (static_cast<double>(out) == value) return true;
  }
  throw_status(info.Env(), invalid(message));
  return false;
}

bool read_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                std::span<const uint8_t>& out) {
  const napi_env env = info.Env();
  const napi_value value = info[index];
  napi_typedarray_type type;
  napi_value buffer;
  if (napi_get_typedarray_info(env, value, &type, nullptr, nullptr, &buffer, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    throw_status(info.Env(), invalid("Bytes must be a Uint8Array."));
    return false;
  }
  if (const char* problem = buffer_problem(env, buffer, use)) {
    throw_status(info.Env(), invalid(problem));
    return false;
  }
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, value, nullptr, &length, &data, nullptr, nullptr);
  out = {static_cast<const uint8_t*>(data), length};
  return true;
}

bool read_optional_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                         std::span<const uint8_t>& out) {
  if (info[index].IsUndefined()) return true;
  return read_bytes(info, index, use, out);
}

}  // namespace dwcp::binding
