// Arguments as in codec_binding.cc. Operations go to JavaScript as they lie in memory: three 32-bit
// numbers each, literal, copy, from.
#include "binding/signature_binding.h"

#include <cstring>
#include <utility>

#include "binding/arguments.h"
#include "binding/async_operation.h"
#include "binding/output.h"
#include "core/codec/block.h"
#include "core/delta/base_index.h"
#include "core/delta/block_match.h"

namespace dwcp::binding {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr int64_t kMaxSize = static_cast<int64_t>(delta::kMaxSize);

bool read_block_size(const Napi::CallbackInfo& info, size_t index, size_t& out) {
  int64_t size = 0;
  if (!read_integer(info, index, static_cast<int64_t>(delta::kMinBlockSize),
                    static_cast<int64_t>(delta::kMaxBlockSize),
                    "The block size must be a power of two from 64 to 65536.", size)) {
    return false;
  }
  out = static_cast<size_t>(size);
  if ((out & (out - 1)) == 0) return true;
  throw_status(info.Env(), {ErrorCode::INVALID_ARG, "The block size must be a power of two."});
  return false;
}

/// What `blockHashes` is given: bytes, blockBytes.
struct HashRequest {
  Bytes source;
  size_t block_size = 0;

  size_t size() const {
    return delta::block_count(source.size(), block_size) * delta::kBlockHashSize;
  }
};

bool read_hash(const Napi::CallbackInfo& info, Use use, HashRequest& request) {
  return read_block_size(info, 1, request.block_size) && read_bytes(info, 0, use, request.source);
}

/// What `blockMatch` is given: hashes, blockBytes, baseBytes, content.
struct MatchRequest {
  delta::RemoteBase base;
  Bytes content;

  Status run(codec::Block& ops) const {
    codec::Column<delta::Op> found;
    const Status status = delta::match_blocks(base, content, found);
    if (!status.ok() || found.empty()) return status;
    ops = codec::Block::reserve(found.values().size_bytes());
    if (!ops.valid()) return {ErrorCode::LIMIT, "Out of memory for matching blocks."};
    std::memcpy(ops.bytes().data(), found.values().data(), ops.bytes().size());
    return {};
  }
};

bool read_match(const Napi::CallbackInfo& info, Use use, MatchRequest& request) {
  int64_t size = 0;
  if (!read_block_size(info, 1, request.base.block_size) ||
      !read_integer(info, 2, 0, kMaxSize, "baseBytes must be an integer from 0 to 2^31-1.", size)) {
    return false;
  }
  request.base.size = static_cast<size_t>(size);
  return read_bytes(info, 0, use, request.base.hashes) && read_bytes(info, 3, use, request.content);
}

class HashOperation final : public AsyncOperation {
 public:
  HashOperation(const HashRequest& request, std::span<uint8_t> target)
      : request_(request), target_(target) {}

 private:
  Status execute() override {
    delta::hash_blocks(request_.source, request_.block_size, target_);
    return {};
  }
  napi_value result(Napi::Env env) override { return held(env, 0); }  // the output is held first

  HashRequest request_;
  std::span<uint8_t> target_;
};

class MatchOperation final : public AsyncOperation {
 public:
  explicit MatchOperation(const MatchRequest& request) : request_(request) {}

 private:
  Status execute() override { return request_.run(ops_); }
  napi_value result(Napi::Env env) override { return copy_to_buffer(env, ops_); }

  MatchRequest request_;
  codec::Block ops_;
};

Napi::Value block_hashes(const Napi::CallbackInfo& info) {
  HashRequest request;
  std::span<uint8_t> target;
  if (!read_hash(info, Use::kDuringCall, request)) return {};
  const napi_value buffer = allocate_buffer(info.Env(), request.size(), target);
  if (buffer == nullptr) return {};
  delta::hash_blocks(request.source, request.block_size, target);
  return {info.Env(), buffer};
}

Napi::Value block_hashes_async(const Napi::CallbackInfo& info) {
  HashRequest request;
  std::span<uint8_t> target;
  if (!read_hash(info, Use::kAfterCall, request)) return {};
  const napi_value buffer = allocate_buffer(info.Env(), request.size(), target);
  if (buffer == nullptr) return {};
  auto operation = std::make_unique<HashOperation>(request, target);
  operation->hold(info.Env(), buffer);
  operation->hold(info.Env(), info[0]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.blockHashes");
}

Napi::Value block_match(const Napi::CallbackInfo& info) {
  MatchRequest request;
  codec::Block ops;
  if (!read_match(info, Use::kDuringCall, request)) return {};
  const Status status = request.run(ops);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  return {info.Env(), copy_to_buffer(info.Env(), ops)};
}

Napi::Value block_match_async(const Napi::CallbackInfo& info) {
  MatchRequest request;
  if (!read_match(info, Use::kAfterCall, request)) return {};
  auto operation = std::make_unique<MatchOperation>(request);
  operation->hold(info.Env(), info[0]);
  operation->hold(info.Env(), info[3]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.blockMatch");
}

}  // namespace

void export_signature(Napi::Env env, Napi::Object exports) {
  exports["blockHashes"] = Napi::Function::New<block_hashes>(env, "blockHashes");
  exports["blockHashesAsync"] = Napi::Function::New<block_hashes_async>(env, "blockHashesAsync");
  exports["blockMatch"] = Napi::Function::New<block_match>(env, "blockMatch");
  exports["blockMatchAsync"] = Napi::Function::New<block_match_async>(env, "blockMatchAsync");
}

}  // namespace dwcp::binding
