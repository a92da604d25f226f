// Arguments: the samples one after the other, their lengths as bytes of a Uint32Array, the size of
// the dictionary, the level. The lengths are copied, the samples borrowed.
#include "binding/training_binding.h"

#include <cstring>
#include <span>
#include <utility>

#include "binding/arguments.h"
#include "binding/async_operation.h"
#include "binding/instance.h"
#include "binding/output.h"
#include "core/codec/column.h"
#include "core/codec/dictionary_trainer.h"
#include "core/codec/zstd_codec.h"

namespace dwcp::binding {
namespace {

struct Request {
  std::span<const uint8_t> bytes;
  codec::Column<uint32_t> lengths;
  codec::TrainOptions options;

  codec::Samples samples() const { return {bytes, lengths.values()}; }
};

struct Outcome {
  codec::Block dictionary;
  codec::TrainReport report;
};

Status train(codec::ContextPool& pool, const Request& request, Outcome& outcome) {
  return codec::train_dictionary(pool, request.samples(), request.options, outcome.dictionary,
                                 outcome.report);
}

/// Copies the lengths. False when memory is short, or they do not add up to the bytes.
bool take_lengths(std::span<const uint8_t> raw, Request& request) {
  const size_t count = raw.size() / sizeof(uint32_t);
  const auto room = request.lengths.extend(count);
  if (room.size() != count) return false;
  if (count > 0) std::memcpy(room.data(), raw.data(), room.size_bytes());
  uint64_t total = 0;
  for (const uint32_t length : room) total += length;
  return total == request.bytes.size();
}

bool read_request(const Napi::CallbackInfo& info, Use use, Request& request) {
  constexpr const char* kSize = "sizeBytes must be an integer from 1024 to 1048576.";
  int64_t size = 0;
  int64_t level = 0;
  if (!read_integer(info, 2, codec::kMinTrainedBytes, codec::kMaxTrainedBytes, kSize, size) ||
      !read_integer(info, 3, codec::kMinLevel, codec::kMaxLevel,
                    "The level must be an integer from -50 to 19.", level)) {
    return false;
  }
  request.options = {static_cast<size_t>(size), static_cast<int>(level)};
  std::span<const uint8_t> lengths;
  if (!read_bytes(info, 1, use, lengths) || !read_bytes(info, 0, use, request.bytes)) return false;
  if (request.bytes.size() <= codec::kMaxTrainingBytes && take_lengths(lengths, request)) {
    return true;
  }
  throw_status(info.Env(), {ErrorCode::INVALID_ARG,
                            "The lengths must add up to the samples, of at most 256 MiB."});
  return false;
}

/// `{dictionary, heldOutBytes, heldOutPlainBytes}`; null with a pending exception when that fails.
napi_value to_object(Napi::Env env, Outcome& outcome) {
  napi_value object = nullptr;
  napi_value dictionary = nullptr;
  napi_value with = nullptr;
  napi_value without = nullptr;
  if (outcome.dictionary.valid()) {
    dictionary = copy_to_buffer(env, outcome.dictionary);
  } else {
    napi_get_undefined(env, &dictionary);
  }
  const auto& report = outcome.report;
  const bool made =
      dictionary != nullptr && napi_create_object(env, &object) == napi_ok &&
      napi_create_double(env, static_cast<double>(report.with_bytes), &with) == napi_ok &&
      napi_create_double(env, static_cast<double>(report.without_bytes), &without) == napi_ok &&
      napi_set_named_property(env, object, "dictionary", dictionary) == napi_ok &&
      napi_set_named_property(env, object, "heldOutBytes", with) == napi_ok &&
      napi_set_named_property(env, object, "heldOutPlainBytes", without) == napi_ok;
  return made ? object : nullptr;
}

class TrainOperation final : public AsyncOperation {
 public:
  TrainOperation(codec::ContextPool& pool, Request request)
      : pool_(pool), request_(std::move(request)) {}

 private:
  Status execute() override { return train(pool_, request_, outcome_); }
  napi_value result(Napi::Env env) override { return to_object(env, outcome_); }

  codec::ContextPool& pool_;
  Request request_;
  Outcome outcome_;
};

Napi::Value dictionary_train(const Napi::CallbackInfo& info) {
  Request request;
  Outcome outcome;
  if (!read_request(info, Use::kDuringCall, request)) return {};
  const Status status = train(instance_of(info.Env()).pool, request, outcome);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  return {info.Env(), to_object(info.Env(), outcome)};
}

Napi::Value dictionary_train_async(const Napi::CallbackInfo& info) {
  Request request;
  if (!read_request(info, Use::kAfterCall, request)) return {};
  auto operation =
      std::make_unique<TrainOperation>(instance_of(info.Env()).pool, std::move(request));
  operation->hold(info.Env(), info[0]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.dictionaryTrain");
}

}  // namespace

void export_training(Napi::Env env, Napi::Object exports) {
  exports["dictionaryTrain"] = Napi::Function::New<dictionary_train>(env, "dictionaryTrain");
  exports["dictionaryTrainAsync"] =
      Napi::Function::New<dictionary_train_async>(env, "dictionaryTrainAsync");
}

}  // namespace dwcp::binding
