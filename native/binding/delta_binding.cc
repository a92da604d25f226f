// Arguments as in codec_binding.cc: sync functions borrow their inputs for the call; Async
// functions hold a reference until the promise settles.
#include "binding/delta_binding.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "binding/arguments.h"
#include "binding/async_operation.h"
#include "binding/delta_index.h"
#include "binding/fresh_pages.h"
#include "binding/instance.h"
#include "binding/output.h"
#include "core/codec/zstd_codec.h"
#include "core/delta/decoder.h"
#include "core/delta/encoder.h"

namespace dwcp::binding {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr int64_t kMaxSize = static_cast<int64_t>(delta::kMaxSize);

/// What `deltaEncode` is given: index, base, content, effort, maxLiteralBytes.
struct EncodeRequest {
  SharedIndex index;
  Bytes base;
  Bytes content;
  delta::EncodeOptions options;

  Status run(codec::ContextPool& pool, codec::Block& payload) const {
    return delta::encode(pool, *index, base, content, options, payload);
  }
};

bool read_encode(const Napi::CallbackInfo& info, Use use, EncodeRequest& request) {
  int64_t effort = 0;
  int64_t max_literals = 0;
  if (!read_integer(info, 3, 0, 2, "The effort must be 0, 1 or 2.", effort) ||
      !read_integer(info, 4, 0, kMaxSize, "maxLiteralBytes must be an integer from 0 to 2^31-1.",
                    max_literals)) {
    return false;
  }
  request.options.effort = static_cast<delta::Effort>(effort);
  request.options.max_literal_bytes = static_cast<size_t>(max_literals);
  request.index = read_index(info, 0);
  return request.index && read_bytes(info, 1, use, request.base) &&
         read_bytes(info, 2, use, request.content);
}

/// What `deltaDecode` is given: payload, base, sizeBytes, maxWindowLog, maxOps, the content's XXH3
/// if it is to be verified.
struct DecodeRequest {
  Bytes payload;
  Bytes base;
  size_t size = 0;
  delta::DecodeLimits limits;
  std::optional<simd::Digest128> digest;

  Status run(codec::ContextPool& pool, std::span<uint8_t> target) const {
    simd::Digest128 made;
    auto* wanted = digest ? &made : nullptr;
    const Status status = delta::decode(pool, base, payload, limits, target, wanted);
    if (!status.ok() || !digest || made == *digest) return status;
    return {ErrorCode::FRAME_CHECKSUM, "The content does not match its digest."};
  }
};

bool read_digest(const Napi::CallbackInfo& info, size_t index,
                 std::optional<simd::Digest128>& digest) {
  Bytes bytes;
  if (!read_optional_bytes(info, index, Use::kDuringCall, bytes)) return false;
  if (bytes.empty()) return true;
  if (bytes.size() != digest.emplace().size()) {
    throw_status(info.Env(), {ErrorCode::INVALID_ARG, "An XXH3 digest has 16 bytes."});
    return false;
  }
  std::copy(bytes.begin(), bytes.end(), digest->begin());
  return true;
}

bool read_decode(const Napi::CallbackInfo& info, Use use, DecodeRequest& request) {
  int64_t size = 0;
  int64_t window_log = 0;
  int64_t max_ops = 0;
  if (!read_integer(info, 2, 0, kMaxSize, "sizeBytes must be an integer from 0 to 2^31-1.", size) ||
      !read_integer(info, 3, codec::kMinWindowLog, codec::kMaxWindowLog,
                    "maxWindowLog must be an integer from 10 to 27.", window_log) ||
      !read_integer(info, 4, 0, kMaxSize, "maxOps must be an integer from 0 to 2^31-1.", max_ops)) {
    return false;
  }
  request.size = static_cast<size_t>(size);
  request.limits = {static_cast<size_t>(max_ops), static_cast<int>(window_log)};
  return read_digest(info, 5, request.digest) && read_bytes(info, 0, use, request.payload) &&
         read_bytes(info, 1, use, request.base);
}

class IndexOperation final : public AsyncOperation {
 public:
  explicit IndexOperation(Bytes base) : base_(base) {}

 private:
  Status execute() override { return delta::BaseIndex::build(base_, *index_); }
  napi_value result(Napi::Env env) override { return wrap_index(env, std::move(index_)); }

  Bytes base_;
  SharedIndex index_ = SharedIndex::make();
};

class EncodeOperation final : public AsyncOperation {
 public:
  EncodeOperation(codec::ContextPool& pool, EncodeRequest request)
      : pool_(pool), request_(std::move(request)) {}

 private:
  Status execute() override {
    const Status status = request_.run(pool_, payload_);
    request_.index.reset();
    return status;
  }
  napi_value result(Napi::Env env) override {
    return payload_.valid() ? move_to_buffer(env, std::move(payload_)) : env.Undefined();
  }

  codec::ContextPool& pool_;
  EncodeRequest request_;
  codec::Block payload_;
};

class DecodeOperation final : public AsyncOperation {
 public:
  DecodeOperation(codec::ContextPool& pool, const DecodeRequest& request, std::span<uint8_t> target,
                  FilledFlag filled)
      : pool_(pool), request_(request), target_(target), filled_(std::move(filled)) {}

 private:
  Status execute() override {
    const Status status = request_.run(pool_, target_);
    filled_->store(true);
    return status;
  }
  napi_value result(Napi::Env env) override { return held(env, 0); }  // the output is held first

  codec::ContextPool& pool_;
  DecodeRequest request_;
  std::span<uint8_t> target_;
  FilledFlag filled_;
};

Napi::Value delta_index(const Napi::CallbackInfo& info) {
  Bytes base;
  if (!read_bytes(info, 0, Use::kDuringCall, base)) return {};
  const SharedIndex index = SharedIndex::make();
  const Status status = delta::BaseIndex::build(base, *index);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  return {info.Env(), wrap_index(info.Env(), index)};
}

Napi::Value delta_index_async(const Napi::CallbackInfo& info) {
  Bytes base;
  if (!read_bytes(info, 0, Use::kAfterCall, base)) return {};
  auto operation = std::make_unique<IndexOperation>(base);
  operation->hold(info.Env(), info[0]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.deltaIndex");
}

Napi::Value delta_encode(const Napi::CallbackInfo& info) {
  EncodeRequest request;
  if (!read_encode(info, Use::kDuringCall, request)) return {};
  codec::Block payload;
  const Status status = request.run(instance_of(info.Env()).pool, payload);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  if (!payload.valid()) return info.Env().Undefined();
  return {info.Env(), copy_to_buffer(info.Env(), payload)};
}

Napi::Value delta_encode_async(const Napi::CallbackInfo& info) {
  EncodeRequest request;
  if (!read_encode(info, Use::kAfterCall, request)) return {};
  auto& pool = instance_of(info.Env()).pool;
  auto operation = std::make_unique<EncodeOperation>(pool, std::move(request));
  operation->hold(info.Env(), info[1]);
  operation->hold(info.Env(), info[2]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.deltaEncode");
}

Napi::Value delta_decode(const Napi::CallbackInfo& info) {
  DecodeRequest request;
  std::span<uint8_t> target;
  if (!read_decode(info, Use::kDuringCall, request)) return {};
  const napi_value buffer = allocate_buffer(info.Env(), request.size, target);
  if (buffer == nullptr) return {};
  auto& pool = instance_of(info.Env()).pool;
  const Status status = request.run(pool, target);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  return {info.Env(), buffer};
}

Napi::Value delta_decode_async(const Napi::CallbackInfo& info) {
  DecodeRequest request;
  std::span<uint8_t> target;
  if (!read_decode(info, Use::kAfterCall, request)) return {};
  const napi_value buffer = allocate_buffer(info.Env(), request.size, target);
  if (buffer == nullptr) return {};
  auto& pool = instance_of(info.Env()).pool;
  const auto filled = FilledFlag::make();
  auto operation = std::make_unique<DecodeOperation>(pool, request, target, filled);
  operation->hold(info.Env(), buffer);
  operation->hold(info.Env(), info[0]);
  operation->hold(info.Env(), info[1]);
  const Napi::Value promise =
      AsyncOperation::start(info.Env(), std::move(operation), "dwcp.deltaDecode");
  if (!promise.IsEmpty()) make_pages_behind(info.Env(), buffer, target, filled);
  return promise;
}

}  // namespace

void export_delta(Napi::Env env, Napi::Object exports) {
  exports["deltaIndex"] = Napi::Function::New<delta_index>(env, "deltaIndex");
  exports["deltaIndexAsync"] = Napi::Function::New<delta_index_async>(env, "deltaIndexAsync");
  exports["deltaIndexSize"] = Napi::Function::New<index_size>(env, "deltaIndexSize");
  exports["deltaIndexRelease"] = Napi::Function::New<release_index>(env, "deltaIndexRelease");
  exports["deltaEncode"] = Napi::Function::New<delta_encode>(env, "deltaEncode");
  exports["deltaEncodeAsync"] = Napi::Function::New<delta_encode_async>(env, "deltaEncodeAsync");
  exports["deltaDecode"] = Napi::Function::New<delta_decode>(env, "deltaDecode");
  exports["deltaDecodeAsync"] = Napi::Function::New<delta_decode_async>(env, "deltaDecodeAsync");
}

}  // namespace dwcp::binding
