// See delta_index.h.
#include "binding/delta_index.h"

#include <memory>

#include "binding/arguments.h"
#include "binding/instance.h"

namespace dwcp::binding {
namespace {

/// Marks our objects, so that no other wrapped object is taken for one.
constexpr napi_type_tag kTag{0x6477637064656c74, 0x61696e6465783031};

/// What the object holds.
class Holder {
 public:
  Holder(SharedIndex index, Shared<IndexBytes> total)
      : index_(std::move(index)), total_(std::move(total)) {}

  const SharedIndex& index() const { return index_; }
  size_t size_bytes() const { return index_ ? index_->size_bytes() : 0; }

  void count(napi_env env) const { account(env, static_cast<int64_t>(size_bytes())); }
  void release(napi_env env) {
    account(env, -static_cast<int64_t>(size_bytes()));
    index_.reset();
  }

 private:
  void account(napi_env env, int64_t bytes) const {
    total_->value += static_cast<size_t>(bytes);
    int64_t adjusted = 0;
    napi_adjust_external_memory(env, bytes, &adjusted);
  }

  SharedIndex index_;
  Shared<IndexBytes> total_;
};

void finalize(napi_env env, void* data, void* /*hint*/) {
  const std::unique_ptr<Holder> holder(static_cast<Holder*>(data));
  holder->release(env);
}

Holder* holder_of(const Napi::CallbackInfo& info, size_t argument) {
  const napi_env env = info.Env();
  bool ours = false;
  void* data = nullptr;
  const bool found = info[argument].IsObject() &&
                     napi_check_object_type_tag(env, info[argument], &kTag, &ours) == napi_ok &&
                     ours && napi_unwrap(env, info[argument], &data) == napi_ok;
  if (found) return static_cast<Holder*>(data);
  throw_status(info.Env(), {ErrorCode::INVALID_ARG, "The index must be one of deltaIndex."});
  return nullptr;
}

}  // namespace

napi_value wrap_index(Napi::Env env, SharedIndex index) {
  auto holder = std::make_unique<Holder>(std::move(index), instance_of(env).index_bytes);
  napi_value object = nullptr;
  const bool made = napi_create_object(env, &object) == napi_ok &&
                    napi_type_tag_object(env, object, &kTag) == napi_ok &&
                    napi_wrap(env, object, holder.get(), finalize, nullptr, nullptr) == napi_ok;
  if (!made) {
    throw_status(env, {ErrorCode::CLOSED, "The environment is closing."});
    return nullptr;
  }
  holder->count(env);
  holder.release();  // owned by the object
  return object;
}

SharedIndex read_index(const Napi::CallbackInfo& info, size_t argument) {
  const Holder* holder = holder_of(info, argument);
  if (holder == nullptr) return {};
  if (!holder->index()) {
    throw_status(info.Env(), {ErrorCode::CLOSED, "The match index was released."});
  }
  return holder->index();
}

Napi::Value release_index(const Napi::CallbackInfo& info) {
  if (Holder* holder = holder_of(info, 0)) holder->release(info.Env());
  return info.Env().Undefined();
}

Napi::Value index_size(const Napi::CallbackInfo& info) {
  const Holder* holder = holder_of(info, 0);
  if (holder == nullptr) return {};
  return Napi::Number::New(info.Env(), static_cast<double>(holder->size_bytes()));
}

}  // namespace dwcp::binding
