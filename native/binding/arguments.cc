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

/// What is wrong with the buffer under a view of `size` elements, or null.
const char* buffer_problem(napi_env env, napi_value buffer, size_t size, Use use) {
  bool yes = false;
  if (napi_is_arraybuffer(env, buffer, &yes) != napi_ok || !yes) {
    return "Bytes over a SharedArrayBuffer are not accepted.";
  }
  // A view of a detached buffer is empty.
  if (size == 0 && (napi_is_detached_arraybuffer(env, buffer, &yes) != napi_ok || yes)) {
    return "Bytes over a detached ArrayBuffer are not accepted.";
  }
  if (use == Use::kAfterCall && is_resizable(env, buffer)) {
    return "Bytes over a resizable ArrayBuffer are not accepted.";
  }
  return nullptr;
}

template <typename Element>
bool read_elements(napi_env env, napi_value value, napi_typedarray_type wanted, Use use,
                   const char* message, std::span<Element>& out) {
  napi_typedarray_type type;
  napi_value buffer;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, &buffer, nullptr) != napi_ok ||
      type != wanted) {
    throw_status(env, invalid(message));
    return false;
  }
  if (const char* problem = buffer_problem(env, buffer, length, use)) {
    throw_status(env, invalid(problem));
    return false;
  }
  if (use == Use::kAfterCall) {  // the look at `resizable` may have run JavaScript
    napi_get_typedarray_info(env, value, nullptr, &length, &data, nullptr, nullptr);
  }
  out = {static_cast<Element*>(data), length};
  return true;
}

}  // namespace

void throw_status(Napi::Env env, const Status& status) {
  napi_throw_error(env, name(status.code), status.message);
}

void throw_status(napi_env env, const Status& status, size_t record) {
  const napi_value error = make_error(env, status);
  name_record(env, error, record);
  napi_throw(env, error);
}

napi_value make_error(napi_env env, const Status& status) {
  napi_value code = nullptr;
  napi_value message = nullptr;
  napi_value error = nullptr;
  napi_create_string_utf8(env, name(status.code), NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, status.message, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, code, message, &error);
  return error;
}

void name_record(napi_env env, napi_value error, size_t record) {
  napi_value index = nullptr;
  napi_create_double(env, static_cast<double>(record), &index);
  napi_set_named_property(env, error, "record", index);
}

bool read_integer(napi_env env, napi_value argument, int64_t min, int64_t max, const char* message,
                  int64_t& out) {
  double value = 0;
  const bool is_number = napi_get_value_double(env, argument, &value) == napi_ok;
  // The comparison is false for NaN, and the bounds keep the cast defined.
  if (is_number && value >= static_cast<double>(min) && value <= static_cast<double>(max)) {
    out = static_cast<int64_t>(value);
    if (static_cast<double>(out) == value) return true;
  }
  throw_status(env, invalid(message));
  return false;
}

bool read_integer(const Napi::CallbackInfo& info, size_t index, int64_t min, int64_t max,
                  const char* message, int64_t& out) {
  return read_integer(info.Env(), info[index], min, max, message, out);
}

bool read_bytes(napi_env env, napi_value value, Use use, std::span<const uint8_t>& out) {
  std::span<uint8_t> bytes;
  if (!read_elements(env, value, napi_uint8_array, use, "Bytes must be a Uint8Array.", bytes)) {
    return false;
  }
  out = bytes;
  return true;
}

bool read_target(napi_env env, napi_value value, Use use, std::span<uint8_t>& out) {
  return read_elements(env, value, napi_uint8_array, use, "The target must be a Uint8Array.", out);
}

bool read_words(napi_env env, napi_value value, Use use, std::span<uint32_t>& out) {
  return read_elements(env, value, napi_uint32_array, use, "Lengths must be a Uint32Array.", out);
}

bool read_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                std::span<const uint8_t>& out) {
  return read_bytes(info.Env(), info[index], use, out);
}

bool read_optional_bytes(const Napi::CallbackInfo& info, size_t index, Use use,
                         std::span<const uint8_t>& out) {
  if (info[index].IsUndefined()) return true;
  return read_bytes(info, index, use, out);
}

}  // namespace dwcp::binding
