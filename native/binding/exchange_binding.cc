// Arguments: bytes first, then scalars, then the optional dictionary. Inputs are borrowed.
#include "binding/exchange_binding.h"

#include <span>
#include <utility>

#include "binding/arguments.h"
#include "binding/async_operation.h"
#include "binding/dictionary_object.h"
#include "binding/instance.h"
#include "binding/output.h"
#include "core/codec/zstd_codec.h"
#include "core/codec/zstd_exchange.h"

namespace dwcp::binding {
namespace {

using Bytes = std::span<const uint8_t>;

/// One export: bytes, level, 0 or 1 for a checksum, dictionary.
struct ExportTask {
  static constexpr const char* kName = "dwcp.zstdExport";
  codec::ExportOptions options;

  bool read(const Napi::CallbackInfo& info, Use use, Bytes& bytes) {
    int64_t level = 0;
    int64_t checksum = 0;
    if (!read_integer(info, 1, codec::kMinLevel, codec::kMaxLevel,
                      "The level must be an integer from -50 to 19.", level) ||
        !read_integer(info, 2, 0, 1, "The checksum must be 0 or 1.", checksum)) {
      return false;
    }
    options.level = static_cast<int>(level);
    options.checksum = checksum == 1;
    return read_dictionary(info.Env(), info[3], options.dictionary) &&
           read_bytes(info, 0, use, bytes);
  }

  Status run(codec::ContextPool& pool, Bytes bytes, codec::Block& result) const {
    return codec::export_frame(pool, bytes, options, result);
  }
};

/// One import: bytes, maxOutputBytes, maxWindowLog, dictionary.
struct ImportTask {
  static constexpr const char* kName = "dwcp.zstdImport";
  codec::ImportOptions options;

  bool read(const Napi::CallbackInfo& info, Use use, Bytes& bytes) {
    int64_t size = 0;
    int64_t window_log = 0;
    if (!read_integer(info, 1, 0, INT32_MAX, "maxOutputBytes must be an integer from 0 to 2^31-1.",
                      size) ||
        !read_integer(info, 2, codec::kMinWindowLog, codec::kMaxWindowLog,
                      "maxWindowLog must be an integer from 10 to 27.", window_log)) {
      return false;
    }
    options.max_output = static_cast<size_t>(size);
    options.max_window_log = static_cast<int>(window_log);
    return read_dictionary(info.Env(), info[3], options.dictionary) &&
           read_bytes(info, 0, use, bytes);
  }

  Status run(codec::ContextPool& pool, Bytes bytes, codec::Block& result) const {
    return codec::import_frames(pool, bytes, options, result);
  }
};

napi_value to_buffer(Napi::Env env, codec::Block block) {
  if (block.valid()) return move_to_buffer(env, std::move(block));
  std::span<uint8_t> none;
  return allocate_buffer(env, 0, none);
}

template <typename Task>
class ExchangeOperation final : public AsyncOperation {
 public:
  ExchangeOperation(codec::ContextPool& pool, Bytes bytes, Task task)
      : pool_(pool), bytes_(bytes), task_(std::move(task)) {}

 private:
  Status execute() override { return task_.run(pool_, bytes_, result_); }
  napi_value result(Napi::Env env) override { return to_buffer(env, std::move(result_)); }

  codec::ContextPool& pool_;
  Bytes bytes_;
  Task task_;
  codec::Block result_;
};

template <typename Task>
Napi::Value run(const Napi::CallbackInfo& info) {
  Task task;
  Bytes bytes;
  codec::Block result;
  if (!task.read(info, Use::kDuringCall, bytes)) return {};
  const Status status = task.run(instance_of(info.Env()).pool, bytes, result);
  if (!status.ok()) {
    throw_status(info.Env(), status);
    return {};
  }
  return {info.Env(), to_buffer(info.Env(), std::move(result))};
}

template <typename Task>
Napi::Value run_async(const Napi::CallbackInfo& info) {
  Task task;
  Bytes bytes;
  if (!task.read(info, Use::kAfterCall, bytes)) return {};
  auto operation = std::make_unique<ExchangeOperation<Task>>(instance_of(info.Env()).pool, bytes,
                                                             std::move(task));
  operation->hold(info.Env(), info[0]);
  return AsyncOperation::start(info.Env(), std::move(operation), Task::kName);
}

}  // namespace

void export_exchange(Napi::Env env, Napi::Object exports) {
  exports["zstdExport"] = Napi::Function::New<run<ExportTask>>(env, "zstdExport");
  exports["zstdExportAsync"] = Napi::Function::New<run_async<ExportTask>>(env, "zstdExportAsync");
  exports["zstdImport"] = Napi::Function::New<run<ImportTask>>(env, "zstdImport");
  exports["zstdImportAsync"] = Napi::Function::New<run_async<ImportTask>>(env, "zstdImportAsync");
}

}  // namespace dwcp::binding
