// See dictionary_object.h.
#include "binding/dictionary_object.h"

#include <memory>
#include <span>

#include "binding/arguments.h"
#include "binding/instance.h"

namespace dwcp::binding {
namespace {

/// Marks our objects, so that no other wrapped object is taken for one.
constexpr napi_type_tag kTag{0x6477637064696374, 0x696f6e6172793031};

/// What the object holds.
class Holder {
 public:
  Holder(SharedDictionary dictionary, Shared<IndexBytes> total)
      : dictionary_(std::move(dictionary)), total_(std::move(total)) {}

  const SharedDictionary& dictionary() const { return dictionary_; }

  /// Tells V8 of what came since the last time.
  void account(napi_env env) {
    const size_t size = dictionary_ ? dictionary_->size_bytes() : 0;
    if (size == counted_) return;
    total_->value += size - counted_;
    int64_t adjusted = 0;
    napi_adjust_external_memory(env, static_cast<int64_t>(size - counted_), &adjusted);
    counted_ = size;
  }

  void release(napi_env env) {
    dictionary_.reset();
    account(env);
  }

 private:
  SharedDictionary dictionary_;
  Shared<IndexBytes> total_;
  size_t counted_ = 0;
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
  throw_status(env, {ErrorCode::INVALID_ARG, "The dictionary must be one of zstdDictionary."});
  return nullptr;
}

/// Arguments: bytes, id.
Napi::Value make(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  int64_t id = 0;
  std::span<const uint8_t> bytes;
  if (!read_integer(info, 1, 1, UINT32_MAX, "The id must be an integer from 1 to 2^32-1.", id) ||
      !read_bytes(info, 0, Use::kDuringCall, bytes)) {
    return {};
  }
  SharedDictionary dictionary;
  const Status status = codec::Dictionary::make(bytes, static_cast<uint32_t>(id), dictionary);
  if (!status.ok()) {
    throw_status(env, status);
    return {};
  }
  auto holder = std::make_unique<Holder>(std::move(dictionary), instance_of(env).index_bytes);
  napi_value object = nullptr;
  const bool made = napi_create_object(env, &object) == napi_ok &&
                    napi_type_tag_object(env, object, &kTag) == napi_ok &&
                    napi_wrap(env, object, holder.get(), finalize, nullptr, nullptr) == napi_ok;
  if (!made) {
    throw_status(env, {ErrorCode::CLOSED, "The environment is closing."});
    return {};
  }
  holder->account(env);
  holder.release();  // owned by the object
  return {env, object};
}

Napi::Value release(const Napi::CallbackInfo& info) {
  if (Holder* holder = holder_of(info, 0)) holder->release(info.Env());
  return info.Env().Undefined();
}

/// Size of the dictionary an object holds, bytes; 0 when it was released.
Napi::Value size(const Napi::CallbackInfo& info) {
  Holder* holder = holder_of(info, 0);
  if (holder == nullptr) return {};
  holder->account(info.Env());
  const size_t bytes = holder->dictionary() ? holder->dictionary()->size_bytes() : 0;
  return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

}  // namespace

bool read_dictionary(const Napi::CallbackInfo& info, size_t argument, SharedDictionary& out) {
  if (info[argument].IsUndefined()) return true;
  Holder* holder = holder_of(info, argument);
  if (holder == nullptr) return false;
  if (!holder->dictionary()) {
    throw_status(info.Env(), {ErrorCode::CLOSED, "The dictionary was released."});
    return false;
  }
  holder->account(info.Env());
  out = holder->dictionary();
  return true;
}

void export_dictionary(Napi::Env env, Napi::Object exports) {
  exports["zstdDictionary"] = Napi::Function::New<make>(env, "zstdDictionary");
  exports["zstdDictionarySize"] = Napi::Function::New<size>(env, "zstdDictionarySize");
  exports["zstdDictionaryRelease"] = Napi::Function::New<release>(env, "zstdDictionaryRelease");
}

}  // namespace dwcp::binding
