// What the record functions have in common: their settings and the check that nothing is read and
// written at once.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <span>

#include "binding/arguments.h"
#include "core/codec/record_codec.h"

namespace dwcp::binding {

/// Settings are one number: level - kMinLevel, plus this for a checksum.
inline constexpr int64_t kCheckedSetting = 128;

inline bool read_settings(napi_env env, napi_value value, codec::RecordOptions& options) {
  constexpr const char* kMessage = "Settings must be a level from -50 to 19 and a checksum.";
  constexpr int64_t kLevels = codec::kMaxLevel - codec::kMinLevel;
  int64_t settings = 0;
  if (!read_integer(env, value, 0, kCheckedSetting + kLevels, kMessage, settings)) return false;
  const int64_t level = settings % kCheckedSetting;
  if (level > kLevels) {
    throw_status(env, {ErrorCode::INVALID_ARG, kMessage});
    return false;
  }
  options.level = static_cast<int>(level) + codec::kMinLevel;
  options.checked = settings >= kCheckedSetting;
  return true;
}

inline bool read_max_output(napi_env env, napi_value value, size_t& out) {
  int64_t bytes = 0;
  constexpr int64_t kMost = int64_t{1} << 53;
  if (!read_integer(env, value, 0, kMost, "maxOutputBytes must be an integer.", bytes)) {
    return false;
  }
  out = static_cast<size_t>(bytes);
  return true;
}

/// False with a pending error when two ranges share memory.
template <typename A, typename B>
bool apart(napi_env env, std::span<A> a, std::span<B> b) {
  const auto* a_begin = reinterpret_cast<const uint8_t*>(a.data());
  const auto* b_begin = reinterpret_cast<const uint8_t*>(b.data());
  const std::less<const uint8_t*> before;
  if (!before(a_begin, b_begin + b.size_bytes()) || !before(b_begin, a_begin + a.size_bytes())) {
    return true;
  }
  throw_status(env, {ErrorCode::INVALID_ARG, "Input and target must not share memory."});
  return false;
}

inline napi_value to_number(napi_env env, size_t value) {
  napi_value number = nullptr;
  napi_create_double(env, static_cast<double>(value), &number);
  return number;
}

}  // namespace dwcp::binding
