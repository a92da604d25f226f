// The C functions of Node-API on the path of single calls: the wrapper would cost as much as a
// small record. Small numbers, which results are, live in their value: nothing is allocated.
#include "binding/record_binding.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "binding/async_operation.h"
#include "binding/dictionary_object.h"
#include "binding/instance.h"
#include "binding/record_request.h"

namespace dwcp::binding {
namespace {

using Bytes = std::span<const uint8_t>;
using Target = std::span<uint8_t>;

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a zstd context."};

bool read_pair(napi_env env, napi_value from, napi_value to, Use use, Bytes& source,
               Target& target) {
  return read_bytes(env, from, use, source) && read_target(env, to, use, target) &&
         apart(env, source, target);
}

napi_value answer(napi_env env, const Status& status, size_t size) {
  if (status.ok()) return to_number(env, size);
  throw_status(env, status);
  return nullptr;
}

/// One record on a pool thread.
class EncodeOperation final : public AsyncOperation {
 public:
  EncodeOperation(codec::ContextPool& pool, SharedDictionary dictionary,
                  codec::RecordOptions options, Bytes source, Target target)
      : pool_(pool),
        dictionary_(std::move(dictionary)),
        options_(options),
        source_(source),
        target_(target) {}

 private:
  Status execute() override {
    const auto lease = pool_.records.lease();
    if (lease.get() == nullptr) return kNoMemory;
    const auto* dictionary = dictionary_ ? &*dictionary_ : nullptr;
    return lease.get()->encode(source_, dictionary, options_, target_, size_);
  }
  napi_value result(Napi::Env env) override { return to_number(env, size_); }

  codec::ContextPool& pool_;
  SharedDictionary dictionary_;
  codec::RecordOptions options_;
  Bytes source_;
  Target target_;
  size_t size_ = 0;
};

/// Arguments: content, target, settings, dictionary.
Napi::Value encode_async(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  codec::RecordOptions options;
  SharedDictionary dictionary;
  Bytes source;
  Target target;
  if (!read_settings(env, info[2], options) || !read_dictionary(env, info[3], dictionary) ||
      !read_pair(env, info[0], info[1], Use::kAfterCall, source, target)) {
    return {};
  }
  auto operation = std::make_unique<EncodeOperation>(instance_of(env).pool, std::move(dictionary),
                                                     options, source, target);
  operation->hold(env, info[0]);
  operation->hold(env, info[1]);
  return AsyncOperation::start(env, std::move(operation), "dwcp.recordEncode");
}

void add(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace

napi_value record_encode(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  size_t count = 4;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  codec::RecordOptions options;
  const codec::Dictionary* dictionary = nullptr;
  int64_t at = 0;
  Bytes source;
  Target target;
  if (!read_settings(env, arguments[2], options) ||
      !read_integer(env, arguments[3], 0, INT32_MAX, "The place must be a 31-bit integer.", at) ||
      !own_dictionary(env, data, dictionary) ||
      !read_bytes(env, arguments[0], Use::kDuringCall, source) ||
      !read_target(env, arguments[1], Use::kDuringCall, target)) {
    return nullptr;
  }
  target = target.subspan(std::min(static_cast<size_t>(at), target.size()));
  if (!apart(env, source, target)) return nullptr;
  size_t size = 0;
  const Status status = instance_of(env).records.encode(source, dictionary, options, target, size);
  return answer(env, status, size);
}

napi_value record_decode(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t count = 3;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  size_t max_output = 0;
  const codec::Dictionary* dictionary = nullptr;
  Bytes source;
  Target target;
  if (!read_max_output(env, arguments[2], max_output) || !own_dictionary(env, data, dictionary) ||
      !read_pair(env, arguments[0], arguments[1], Use::kDuringCall, source, target)) {
    return nullptr;
  }
  size_t size = 0;
  const Status status =
      instance_of(env).records.decode(source, dictionary, max_output, target, size);
  return answer(env, status, size);
}

void export_records(Napi::Env env, Napi::Object exports) {
  add(env, exports, "recordEncode", record_encode);
  add(env, exports, "recordDecode", record_decode);
  exports["recordEncodeAsync"] = Napi::Function::New<encode_async>(env, "recordEncodeAsync");
}

}  // namespace dwcp::binding
