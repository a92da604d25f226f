// Batches of records: arena and lengths in, arena and lengths out, one crossing. Arguments of the
// functions: arena, lengths, target, target lengths, settings or maxOutput, then one dictionary to
// encode with, or an array of them to decode with. A failure names its record.
#include <memory>
#include <utility>
#include <vector>

#include "binding/async_operation.h"
#include "binding/dictionary_object.h"
#include "binding/instance.h"
#include "binding/record_binding.h"
#include "binding/record_request.h"

namespace dwcp::binding {
namespace {

constexpr Status kNoMemory{ErrorCode::LIMIT, "Out of memory for a zstd context."};
/// More versions of a dictionary than any reader keeps.
constexpr uint32_t kMaxDictionaries = 64;

/// What a batch works on, and the dictionaries it keeps alive.
struct Batch {
  codec::RecordArena arena;
  codec::RecordTarget target;
  std::vector<SharedDictionary> dictionaries;
  codec::BatchProgress progress;
};

bool read_arena(napi_env env, const Napi::CallbackInfo& info, Use use, codec::RecordArena& arena) {
  std::span<uint32_t> lengths;
  if (!read_words(env, info[1], use, lengths) || !read_bytes(env, info[0], use, arena.bytes)) {
    return false;
  }
  arena.lengths = lengths;
  return true;
}

bool read_batch(const Napi::CallbackInfo& info, Use use, Batch& batch) {
  const Napi::Env env = info.Env();
  auto& [arena, target, dictionaries, progress] = batch;
  if (!read_arena(env, info, use, arena) || !read_target(env, info[2], use, target.bytes) ||
      !read_words(env, info[3], use, target.lengths)) {
    return false;
  }
  if (target.lengths.size() < arena.lengths.size()) {
    throw_status(env, {ErrorCode::INVALID_ARG, "There must be a target length for each record."});
    return false;
  }
  return apart(env, arena.bytes, target.bytes) && apart(env, arena.bytes, target.lengths) &&
         apart(env, arena.lengths, target.bytes) && apart(env, arena.lengths, target.lengths) &&
         apart(env, target.bytes, target.lengths);
}

bool read_dictionaries(napi_env env, napi_value array, std::vector<SharedDictionary>& out) {
  uint32_t count = 0;
  if (napi_get_array_length(env, array, &count) != napi_ok || count > kMaxDictionaries) {
    throw_status(env, {ErrorCode::INVALID_ARG, "Dictionaries must be an array of at most 64."});
    return false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    napi_value element = nullptr;
    SharedDictionary dictionary;
    if (napi_get_element(env, array, i, &element) != napi_ok ||
        !read_dictionary(env, element, dictionary)) {
      return false;
    }
    if (dictionary) out.push_back(std::move(dictionary));
  }
  return true;
}

struct EncodeBatch : Batch {
  codec::RecordOptions options;

  bool read(const Napi::CallbackInfo& info, Use use) {
    SharedDictionary dictionary;
    if (!read_settings(info.Env(), info[4], options) ||
        !read_dictionary(info.Env(), info[5], dictionary) || !read_batch(info, use, *this)) {
      return false;
    }
    if (dictionary) dictionaries.push_back(std::move(dictionary));
    return true;
  }
  Status run(codec::RecordCodec& codec) {
    const auto* dictionary = dictionaries.empty() ? nullptr : &*dictionaries.front();
    return codec.encode_batch(arena, dictionary, options, target, progress);
  }
};

struct DecodeBatch : Batch {
  size_t max_output = 0;

  bool read(const Napi::CallbackInfo& info, Use use) {
    return read_max_output(info.Env(), info[4], max_output) &&
           read_dictionaries(info.Env(), info[5], dictionaries) && read_batch(info, use, *this);
  }
  Status run(codec::RecordCodec& codec) {
    return codec.decode_batch(arena, dictionaries, max_output, target, progress);
  }
};

template <typename Request>
class BatchOperation final : public AsyncOperation {
 public:
  BatchOperation(codec::ContextPool& pool, Request request)
      : pool_(pool), request_(std::move(request)) {}

 private:
  Status execute() override {
    const auto lease = pool_.records.lease();
    if (lease.get() == nullptr) return kNoMemory;
    return request_.run(*lease.get());
  }
  napi_value result(Napi::Env env) override { return to_number(env, request_.progress.bytes); }
  void describe(napi_env env, napi_value error) const override {
    name_record(env, error, request_.progress.records);
  }

  codec::ContextPool& pool_;
  Request request_;
};

template <typename Request>
Napi::Value run_now(const Napi::CallbackInfo& info) {
  Request request;
  if (!request.read(info, Use::kDuringCall)) return {};
  const Status status = request.run(instance_of(info.Env()).records);
  if (status.ok()) return {info.Env(), to_number(info.Env(), request.progress.bytes)};
  throw_status(info.Env(), status, request.progress.records);
  return {};
}

template <typename Request>
Napi::Value run_in_pool(const Napi::CallbackInfo& info) {
  Request request;
  if (!request.read(info, Use::kAfterCall)) return {};
  auto& pool = instance_of(info.Env()).pool;
  auto operation = std::make_unique<BatchOperation<Request>>(pool, std::move(request));
  for (size_t i = 0; i < 4; ++i) operation->hold(info.Env(), info[i]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.recordBatch");
}

/// Arguments: arena of frames, lengths, maxOutput. Gives the size of their content.
Napi::Value content_size(const Napi::CallbackInfo& info) {
  size_t max_output = 0;
  codec::RecordArena arena;
  if (!read_max_output(info.Env(), info[2], max_output) ||
      !read_arena(info.Env(), info, Use::kDuringCall, arena)) {
    return {};
  }
  codec::BatchProgress progress;
  const Status status = codec::batch_content_size(arena, max_output, progress);
  if (status.ok()) return {info.Env(), to_number(info.Env(), progress.bytes)};
  throw_status(info.Env(), status, progress.records);
  return {};
}

}  // namespace

void export_batches(Napi::Env env, Napi::Object exports) {
  exports["batchEncode"] = Napi::Function::New<run_now<EncodeBatch>>(env, "batchEncode");
  exports["batchDecode"] = Napi::Function::New<run_now<DecodeBatch>>(env, "batchDecode");
  exports["batchEncodeAsync"] =
      Napi::Function::New<run_in_pool<EncodeBatch>>(env, "batchEncodeAsync");
  exports["batchDecodeAsync"] =
      Napi::Function::New<run_in_pool<DecodeBatch>>(env, "batchDecodeAsync");
  exports["batchContentBytes"] = Napi::Function::New<content_size>(env, "batchContentBytes");
}

}  // namespace dwcp::binding
