// One operation on libuv's thread pool, seen as a promise. It owns itself from `start` until its
// completion runs on the JavaScript thread. Node waits for pool work before it tears an environment
// down, so a terminated worker still completes its operations; JavaScript can no longer run then,
// and the result is dropped.
#pragma once

#include <napi.h>

#include <array>
#include <memory>

#include "core/error_code.h"

namespace dwcp::binding {

class AsyncOperation {
 public:
  virtual ~AsyncOperation() = default;

  /// Queues `operation` and returns its promise. `resource` names it in async hooks.
  static Napi::Value start(Napi::Env env, std::unique_ptr<AsyncOperation> operation,
                           const char* resource);

  /// Keeps `value` alive until completion. Up to five values.
  void hold(Napi::Env env, napi_value value);

 protected:
  /// Runs on a pool thread: no Node-API here.
  virtual Status execute() = 0;

  /// Makes the value to resolve with; null with a pending exception when that fails.
  virtual napi_value result(Napi::Env env) = 0;

  /// Adds to the error of a failed `execute` what the status cannot say.
  virtual void describe(napi_env env, napi_value error) const {}

  /// The `index`-th held value.
  napi_value held(Napi::Env env, size_t index) const;

 private:
  static void on_execute(napi_env env, void* data);
  static void on_complete(napi_env env, napi_status status, void* data);
  void settle(Napi::Env env);
  void release(Napi::Env env);

  napi_async_work work_ = nullptr;
  napi_deferred deferred_ = nullptr;
  std::array<napi_ref, 5> references_{};
  size_t held_ = 0;
  Status status_;
};

}  // namespace dwcp::binding
