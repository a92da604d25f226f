// The C functions of Node-API are used throughout: during teardown every call may fail, and each
// failure must be let go rather than turned into an exception nobody can catch.
#include "binding/async_operation.h"

#include "binding/arguments.h"

namespace dwcp::binding {
Napi::Value AsyncOperation::start(Napi::Env env, std::unique_ptr<AsyncOperation> operation,
                                  const char* resource) {
  napi_value promise = nullptr;
  napi_value label = nullptr;
  AsyncOperation* self = operation.get();
  const bool queued = napi_create_string_utf8(env, resource, NAPI_AUTO_LENGTH, &label) == napi_ok &&
                      napi_create_async_work(env, nullptr, label, on_execute, on_complete, self,
                                             &self->work_) == napi_ok &&
                      napi_create_promise(env, &self->deferred_, &promise) == napi_ok &&
                      napi_queue_async_work(env, self->work_) == napi_ok;
  if (!queued) {
    self->release(env);
    throw_status(env, {ErrorCode::CLOSED, "The environment is closing."});
    return {};
  }
  operation.release();  // owned by the queued work until on_complete
  return {env, promise};
}

void AsyncOperation::hold(Napi::Env env, napi_value value) {
  napi_create_reference(env, value, 1, &references_.at(held_++));
}

napi_value AsyncOperation::held(Napi::Env env, size_t index) const {
  napi_value value = nullptr;
  napi_get_reference_value(env, references_.at(index), &value);
  return value;
}

void AsyncOperation::on_execute(napi_env /*env*/, void* data) {
  auto* self = static_cast<AsyncOperation*>(data);
  self->status_ = self->execute();
}

void AsyncOperation::on_complete(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<AsyncOperation> self(static_cast<AsyncOperation*>(data));
  if (status == napi_ok) self->settle(env);
  self->release(env);
}

void AsyncOperation::settle(Napi::Env env) {
  const napi_value value = status_.ok() ? result(env) : nullptr;
  if (value != nullptr) {
    napi_resolve_deferred(env, deferred_, value);
    return;
  }
  napi_value error = nullptr;
  bool thrown = false;
  napi_is_exception_pending(env, &thrown);
  if (thrown) napi_get_and_clear_last_exception(env, &error);
  if (error == nullptr) {
    const Status lost{ErrorCode::LIMIT, "The result could not be handed over."};
    error = make_error(env, status_.ok() ? lost : status_);
    if (error != nullptr) describe(env, error);
  }
  if (error != nullptr) napi_reject_deferred(env, deferred_, error);
}

void AsyncOperation::release(Napi::Env env) {
  for (size_t i = 0; i < held_; ++i) napi_delete_reference(env, references_.at(i));
  held_ = 0;
  if (work_ != nullptr) napi_delete_async_work(env, work_);
  work_ = nullptr;
}

}  // namespace dwcp::binding
