// Arguments of every function: bytes first, then scalars, then the optional prefix and dictionary.
// Sync functions borrow their inputs for the call; Async functions hold a reference until the
// promise settles.
#include "binding/codec_binding.h"

#include <span>
#include <utility>

#include "binding/arguments.h"
#include "binding/async_operation.h"
#include "binding/dictionary_object.h"
#include "binding/instance.h"
#include "binding/output.h"
#include "binding/record_request.h"
#include "core/codec/zstd_codec.h"
#include "core/simd/crc32c.h"
#include "core/simd/match.h"
#include "core/simd/xxh3.h"

namespace dwcp::binding {
namespace {

using Bytes = std::span<const uint8_t>;

bool read_compress(const Napi::CallbackInfo& info, Use use, Bytes& source,
                   codec::CompressOptions& options) {
  int64_t level = 0;
  if (!read_integer(info, 1, codec::kMinLevel, codec::kMaxLevel,
                    "The level must be an integer from -50 to 19.", level)) {
    return false;
  }
  options.level = static_cast<int>(level);
  return read_dictionary(info.Env(), info[3], options.dictionary) &&
         read_bytes(info, 0, use, source) && read_optional_bytes(info, 2, use, options.prefix);
}

bool read_decompress(const Napi::CallbackInfo& info, Use use, Bytes& frame,
                     codec::DecompressOptions& options) {
  int64_t size = 0;
  int64_t window_log = 0;
  if (!read_integer(info, 1, 0, INT32_MAX, "sizeBytes must be an integer from 0 to 2^31-1.",
                    size) ||
      !read_integer(info, 2, codec::kMinWindowLog, codec::kMaxWindowLog,
                    "maxWindowLog must be an integer from 10 to 27.", window_log)) {
    return false;
  }
  options.size_bytes = static_cast<size_t>(size);
  options.max_window_log = static_cast<int>(window_log);
  return read_dictionary(info.Env(), info[4], options.dictionary) &&
         read_bytes(info, 0, use, frame) && read_optional_bytes(info, 3, use, options.prefix);
}

/// Checks the frame and only then allocates the output, as a Buffer that is decoded into directly.
napi_value allocate_output(Napi::Env env, Bytes frame, const codec::DecompressOptions& options,
                           std::span<uint8_t>& target) {
  if (const Status status = codec::check_frame(frame, options); !status.ok()) {
    throw_status(env, status);
    return nullptr;
  }
  return allocate_buffer(env, options.size_bytes, target);
}

napi_value digest_to_buffer(Napi::Env env, const simd::Digest128& digest) {
  napi_value buffer = nullptr;
  napi_create_buffer_copy(env, digest.size(), digest.data(), nullptr, &buffer);
  return buffer;
}

class CompressOperation final : public AsyncOperation {
 public:
  CompressOperation(codec::ContextPool& pool, Bytes source, codec::CompressOptions options)
      : pool_(pool), source_(source), options_(options) {}

 private:
  Status execute() override { return codec::compress(pool_, source_, options_, frame_); }
  napi_value result(Napi::Env env) override { return move_to_buffer(env, std::move(frame_)); }

  codec::ContextPool& pool_;
  Bytes source_;
  codec::CompressOptions options_;
  codec::Block frame_;
};

class DecompressOperation final : public AsyncOperation {
 public:
  DecompressOperation(codec::ContextPool& pool, Bytes frame, codec::DecompressOptions options,
                      std::span<uint8_t> target)
      : pool_(pool), frame_(frame), options_(options), target_(target) {}

 private:
  Status execute() override { return codec::decompress(pool_, frame_, options_, target_); }
  napi_value result(Napi::Env env) override { return held(env, 0); }  // the output is held first

  codec::ContextPool& pool_;
  Bytes frame_;
  codec::DecompressOptions options_;
  std::span<uint8_t> target_;
};

class CompressIntoOperation final : public AsyncOperation {
 public:
  CompressIntoOperation(codec::ContextPool& pool, Bytes source, codec::CompressOptions options,
                        std::span<uint8_t> target)
      : pool_(pool), source_(source), options_(std::move(options)), target_(target) {}

 private:
  Status execute() override { return codec::compress(pool_, source_, options_, target_, size_); }
  napi_value result(Napi::Env env) override { return to_number(env, size_); }

  codec::ContextPool& pool_;
  Bytes source_;
  codec::CompressOptions options_;
  std::span<uint8_t> target_;
  size_t size_ = 0;
};

class DecompressIntoOperation final : public AsyncOperation {
 public:
  DecompressIntoOperation(codec::ContextPool& pool, Bytes frame, codec::DecompressOptions options,
                          std::span<uint8_t> target)
      : pool_(pool), frame_(frame), options_(std::move(options)), target_(target) {}

 private:
  Status execute() override { return codec::decompress(pool_, frame_, options_, target_); }
  napi_value result(Napi::Env env) override { return to_number(env, options_.size_bytes); }

  codec::ContextPool& pool_;
  Bytes frame_;
  codec::DecompressOptions options_;
  std::span<uint8_t> target_;
};

class DigestOperation final : public AsyncOperation {
 public:
  explicit DigestOperation(Bytes source) : source_(source) {}

 private:
  Status execute() override {
    digest_ = simd::xxh3_128(source_);
    return {};
  }
  napi_value result(Napi::Env env) override { return digest_to_buffer(env, digest_); }

  Bytes source_;
  simd::Digest128 digest_{};
};

Napi::Value crc32c(const Napi::CallbackInfo& info) {
  int64_t seed = 0;
  Bytes bytes;
  if (!read_integer(info, 1, 0, UINT32_MAX, "The seed must be an unsigned 32-bit integer.", seed) ||
      !read_bytes(info, 0, Use::kDuringCall, bytes)) {
    return {};
  }
  return Napi::Number::New(info.Env(), simd::crc32c(bytes, static_cast<uint32_t>(seed)));
}

Napi::Value xxh3(const Napi::CallbackInfo& info) {
  Bytes bytes;
  if (!read_bytes(info, 0, Use::kDuringCall, bytes)) return {};
  return {info.Env(), digest_to_buffer(info.Env(), simd::xxh3_128(bytes))};
}

Napi::Value xxh3_async(const Napi::CallbackInfo& info) {
  Bytes bytes;
  if (!read_bytes(info, 0, Use::kAfterCall, bytes)) return {};
  auto operation = std::make_unique<DigestOperation>(bytes);
  operation->hold(info.Env(), info[0]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.xxh3");
}

Napi::Value zstd_compress(const Napi::CallbackInfo& info) {
  Bytes source;
  codec::CompressOptions options;
  if (!read_compress(info, Use::kDuringCall, source, options)) return {};
  codec::Block frame;
  const Status status = codec::compress(instance_of(info.Env()).pool, source, options, frame);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  return {info.Env(), copy_to_buffer(info.Env(), frame)};
}

Napi::Value zstd_compress_async(const Napi::CallbackInfo& info) {
  Bytes source;
  codec::CompressOptions options;
  if (!read_compress(info, Use::kAfterCall, source, options)) return {};
  auto& pool = instance_of(info.Env()).pool;
  auto operation = std::make_unique<CompressOperation>(pool, source, options);
  operation->hold(info.Env(), info[0]);
  if (!options.prefix.empty()) operation->hold(info.Env(), info[2]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.zstdCompress");
}

Napi::Value zstd_decompress(const Napi::CallbackInfo& info) {
  Bytes frame;
  codec::DecompressOptions options;
  std::span<uint8_t> target;
  if (!read_decompress(info, Use::kDuringCall, frame, options)) return {};
  const napi_value buffer = allocate_output(info.Env(), frame, options, target);
  if (buffer == nullptr) return {};
  const Status status = codec::decompress(instance_of(info.Env()).pool, frame, options, target);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  return {info.Env(), buffer};
}

Napi::Value zstd_decompress_async(const Napi::CallbackInfo& info) {
  Bytes frame;
  codec::DecompressOptions options;
  std::span<uint8_t> target;
  if (!read_decompress(info, Use::kAfterCall, frame, options)) return {};
  const napi_value buffer = allocate_output(info.Env(), frame, options, target);
  if (buffer == nullptr) return {};
  auto& pool = instance_of(info.Env()).pool;
  auto operation = std::make_unique<DecompressOperation>(pool, frame, options, target);
  operation->hold(info.Env(), buffer);
  operation->hold(info.Env(), info[0]);
  if (!options.prefix.empty()) operation->hold(info.Env(), info[3]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.zstdDecompress");
}

bool read_compress_into(const Napi::CallbackInfo& info, Use use, Bytes& source,
                        codec::CompressOptions& options, std::span<uint8_t>& target) {
  return read_compress(info, use, source, options) &&
         read_target(info.Env(), info[4], use, target) && apart(info.Env(), source, target) &&
         apart(info.Env(), options.prefix, target);
}

bool read_decompress_into(const Napi::CallbackInfo& info, Use use, Bytes& frame,
                          codec::DecompressOptions& options, std::span<uint8_t>& target) {
  if (!read_decompress(info, use, frame, options) ||
      !read_target(info.Env(), info[5], use, target) || !apart(info.Env(), frame, target) ||
      !apart(info.Env(), options.prefix, target)) {
    return false;
  }
  if (options.size_bytes > target.size()) {
    throw_status(info.Env(),
                 {ErrorCode::OUTPUT_LIMIT, "The content does not fit into the target."});
    return false;
  }
  target = target.first(options.size_bytes);
  return true;
}

Napi::Value zstd_compress_into(const Napi::CallbackInfo& info) {
  Bytes source;
  codec::CompressOptions options;
  std::span<uint8_t> target;
  if (!read_compress_into(info, Use::kDuringCall, source, options, target)) return {};
  size_t size = 0;
  const Status status =
      codec::compress(instance_of(info.Env()).pool, source, options, target, size);
  if (status.ok()) return {info.Env(), to_number(info.Env(), size)};
  throw_status(info.Env(), status);
  return {};
}

Napi::Value zstd_compress_into_async(const Napi::CallbackInfo& info) {
  Bytes source;
  codec::CompressOptions options;
  std::span<uint8_t> target;
  if (!read_compress_into(info, Use::kAfterCall, source, options, target)) return {};
  auto& pool = instance_of(info.Env()).pool;
  auto operation = std::make_unique<CompressIntoOperation>(pool, source, options, target);
  operation->hold(info.Env(), info[0]);
  operation->hold(info.Env(), info[4]);
  if (!options.prefix.empty()) operation->hold(info.Env(), info[2]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.zstdCompress");
}

Napi::Value zstd_decompress_into(const Napi::CallbackInfo& info) {
  Bytes frame;
  codec::DecompressOptions options;
  std::span<uint8_t> target;
  if (!read_decompress_into(info, Use::kDuringCall, frame, options, target)) return {};
  const Status status = codec::decompress(instance_of(info.Env()).pool, frame, options, target);
  if (status.ok()) return {info.Env(), to_number(info.Env(), target.size())};
  throw_status(info.Env(), status);
  return {};
}

Napi::Value zstd_decompress_into_async(const Napi::CallbackInfo& info) {
  Bytes frame;
  codec::DecompressOptions options;
  std::span<uint8_t> target;
  if (!read_decompress_into(info, Use::kAfterCall, frame, options, target)) return {};
  auto& pool = instance_of(info.Env()).pool;
  auto operation = std::make_unique<DecompressIntoOperation>(pool, frame, options, target);
  operation->hold(info.Env(), info[0]);
  operation->hold(info.Env(), info[5]);
  if (!options.prefix.empty()) operation->hold(info.Env(), info[3]);
  return AsyncOperation::start(info.Env(), std::move(operation), "dwcp.zstdDecompress");
}

Napi::Value memory_bytes(const Napi::CallbackInfo& info) {
  const Instance& instance = instance_of(info.Env());
  const size_t bytes =
      instance.pool.idle_bytes() + instance.records.size_bytes() + instance.index_bytes->value;
  return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

}  // namespace

void export_codec(Napi::Env env, Napi::Object exports) {
  exports["crc32c"] = Napi::Function::New<crc32c>(env, "crc32c");
  exports["xxh3"] = Napi::Function::New<xxh3>(env, "xxh3");
  exports["xxh3Async"] = Napi::Function::New<xxh3_async>(env, "xxh3Async");
  exports["zstdCompress"] = Napi::Function::New<zstd_compress>(env, "zstdCompress");
  exports["zstdCompressAsync"] = Napi::Function::New<zstd_compress_async>(env, "zstdCompressAsync");
  exports["zstdDecompress"] = Napi::Function::New<zstd_decompress>(env, "zstdDecompress");
  exports["zstdDecompressAsync"] =
      Napi::Function::New<zstd_decompress_async>(env, "zstdDecompressAsync");
  exports["zstdCompressInto"] = Napi::Function::New<zstd_compress_into>(env, "zstdCompressInto");
  exports["zstdCompressIntoAsync"] =
      Napi::Function::New<zstd_compress_into_async>(env, "zstdCompressIntoAsync");
  exports["zstdDecompressInto"] =
      Napi::Function::New<zstd_decompress_into>(env, "zstdDecompressInto");
  exports["zstdDecompressIntoAsync"] =
      Napi::Function::New<zstd_decompress_into_async>(env, "zstdDecompressIntoAsync");
  exports["memoryBytes"] = Napi::Function::New<memory_bytes>(env, "memoryBytes");
  exports["zstdVersion"] = Napi::String::New(env, codec::zstd_version());
  exports["crc32cVia"] = Napi::String::New(env, simd::crc32c_paths().front().name);
  exports["matchVia"] = Napi::String::New(env, simd::match_via());
}

}  // namespace dwcp::binding
