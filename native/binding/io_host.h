// The I/O engine of one JavaScript environment, in its event loop. The descriptor of the back end
// is watched by libuv; each wake-up is one call into JavaScript with a table of rows, and the
// commands JavaScript left in its own table are carried out when it returns. Tables and slabs are
// external ArrayBuffers; each holds a share of its memory, so neither side can pull it from under
// the other.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "binding/uv_abi.h"
#include "core/io/engine.h"
#include "core/shared.h"

namespace dwcp::binding {

/// Memory seen from both sides.
class IoMemory {
 public:
  ~IoMemory();
  bool allocate(size_t size);
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

struct IoOptions {
  io::Tier tier = io::Tier::kEpoll;
  size_t budget_bytes = 0;
  size_t max_connections = 0;
};

class IoHost final : public io::RegionSource {
 public:
  static constexpr size_t kRows = 4096;
  /// The first entry of the command table has their count, and whether a batch is in hand.
  static constexpr size_t kCommands = 8192;

  /// Starts an engine; null with the negative errno. It lives until its environment ends.
  static IoHost* open(Napi::Env env, const IoOptions& options, Napi::Function on_batch, int& error);

  /// Ends the engine and, in a moment, the host.
  void close();
  io::Engine& engine() { return engine_; }
  /// Carries out the commands of the table.
  void flush();
  /// Adjusts the loop to what the engine has to do.
  void update();

  /// External ArrayBuffers over the tables; null with a pending exception.
  napi_value rows(Napi::Env env) const { return expose(env, tables_.rows); }
  napi_value commands(Napi::Env env) const { return expose(env, tables_.commands); }
  napi_value sent(Napi::Env env) const { return expose(env, tables_.sent); }
  napi_value counters(Napi::Env env) const { return expose(env, tables_.counters); }
  napi_value region(Napi::Env env, size_t index) const;
  size_t regions() const { return regions_.size(); }

  uint8_t* add_region() override;

 private:
  using Memory = Shared<IoMemory>;
  struct Tables {
    Memory rows;
    Memory commands;
    Memory sent;
    Memory counters;
  };

  IoHost(Napi::Env env, const IoOptions& options, Tables tables);
  ~IoHost() override;

  static Memory make_memory(size_t size);
  static napi_value expose(napi_env env, const Memory& memory);
  static void on_cleanup(napi_async_cleanup_hook_handle handle, void* data);
  bool start_handles();
  uv_handle_s* make_handle(UvHandle type);
  std::span<const io::Command> take_commands();
  void turn();
  void watch();
  void deliver(size_t count);
  void pace(size_t count, uint64_t took_ns);

  napi_env env_;
  napi_ref on_batch_ = nullptr;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_loop_s* loop_ = nullptr;
  Tables tables_;
  std::vector<Memory> regions_;
  io::Engine engine_;
  std::vector<std::unique_ptr<uint64_t[]>> handles_;
  uv_handle_s* poll_ = nullptr;
  uv_handle_s* idle_ = nullptr;
  uv_handle_s* timer_ = nullptr;
  size_t open_handles_ = 0;
  size_t batch_rows_ = 256;  // rows of the next batch at most: what JavaScript manages in a tick
  bool idle_runs_ = false;
  bool active_ = true;  // as libuv has it at first
};

}  // namespace dwcp::binding
