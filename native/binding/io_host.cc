// See io_host.h. libuv's handles are closed in the asynchronous cleanup hook: closed in the plain
// one, or not at all, they crash a terminated worker (docs/decisions/011).
#include "binding/io_host.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "binding/instance.h"

namespace dwcp::binding {
namespace {

/// How often the watchdog looks.
constexpr uint64_t kWatchMs = 500;
/// How long JavaScript's handlers may take over a batch before the next ones are made smaller.
constexpr uint64_t kHandlersNs = 2'000'000;
constexpr size_t kLeastRows = 16;

}  // namespace

IoMemory::~IoMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

bool IoMemory::allocate(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  data_ = static_cast<uint8_t*>(memory);
  size_ = size;
  return true;
}

IoHost::Memory IoHost::make_memory(size_t size) {
  Memory memory = Memory::make();
  if (!memory->allocate(size)) memory.reset();
  return memory;
}

IoHost::IoHost(Napi::Env env, const IoOptions& options, Tables tables)
    : env_(env),
      tables_(std::move(tables)),
      engine_(*this, {options.budget_bytes, options.max_connections},
              {reinterpret_cast<double*>(tables_.sent->data()), options.max_connections},
              *new (tables_.counters->data()) io::Counters) {}

IoHost* IoHost::open(Napi::Env env, const IoOptions& options, Napi::Function on_batch, int& error) {
  Tables tables{
      make_memory(kRows * sizeof(io::Row)), make_memory((kCommands + 1) * sizeof(io::Command)),
      make_memory(options.max_connections * sizeof(double)), make_memory(sizeof(io::Counters))};
  if (!tables.rows || !tables.commands || !tables.sent || !tables.counters) {
    error = -ENOMEM;
    return nullptr;
  }
  auto* host = new IoHost(env, options, std::move(tables));
  error = host->engine_.start(options.tier);
  if (error == 0 && !host->start_handles()) error = -EIO;
  napi_value name = nullptr;
  napi_create_string_utf8(env, "dwcp.io", NAPI_AUTO_LENGTH, &name);
  if (error == 0 && (napi_create_reference(env, on_batch, 1, &host->on_batch_) != napi_ok ||
                     napi_async_init(env, nullptr, name, &host->context_) != napi_ok ||
                     napi_add_async_cleanup_hook(env, on_cleanup, host, &host->hook_) != napi_ok)) {
    error = -ECANCELED;
  }
  if (error == 0) {
    host->update();
    return host;
  }
  host->close();
  return nullptr;
}

uint8_t* IoHost::add_region() {
  Memory memory = make_memory(io::kRegionSize);
  if (!memory) return nullptr;
  uint8_t* data = memory->data();
  regions_.push_back(std::move(memory));
  return data;
}

napi_value IoHost::expose(napi_env env, const Memory& memory) {
  auto* share = new Memory(memory);
  napi_value buffer = nullptr;
  const auto release = [](napi_env, void*, void* hint) { delete static_cast<Memory*>(hint); };
  const napi_status status = napi_create_external_arraybuffer(env, memory->data(), memory->size(),
                                                              release, share, &buffer);
  if (status != napi_ok) delete share;
  return status == napi_ok ? buffer : nullptr;
}

napi_value IoHost::region(Napi::Env env, size_t index) const {
  return expose(env, regions_[index]);
}

bool IoHost::start_handles() {
  if (napi_get_uv_event_loop(env_, &loop_) != napi_ok) return false;
  poll_ = make_handle(UvHandle::kPoll);
  idle_ = make_handle(UvHandle::kIdle);
  timer_ = make_handle(UvHandle::kTimer);
  if (uv_poll_init(loop_, poll_, engine_.poll_fd()) != 0) return false;
  uv_idle_init(loop_, idle_);
  uv_timer_init(loop_, timer_);
  open_handles_ = handles_.size();
  for (uv_handle_s* handle : {poll_, idle_, timer_}) uv_handle_set_data(handle, this);
  uv_unref(timer_);
  const auto on_poll = [](uv_handle_s* handle, int /*status*/, int /*events*/) {
    static_cast<IoHost*>(uv_handle_get_data(handle))->turn();
  };
  return uv_poll_start(poll_, kUvReadable, on_poll) == 0;
}

uv_handle_s* IoHost::make_handle(UvHandle type) {
  const size_t words = uv_handle_size(static_cast<int>(type)) / sizeof(uint64_t) + 1;
  handles_.push_back(std::make_unique<uint64_t[]>(words));
  return reinterpret_cast<uv_handle_s*>(handles_.back().get());
}

void IoHost::turn() {
  const std::span<io::Row> rows{reinterpret_cast<io::Row*>(tables_.rows->data()), kRows};
  const size_t count = engine_.collect(rows.first(batch_rows_));
  auto& in_batch = reinterpret_cast<io::Command*>(tables_.commands->data())->generation;
  in_batch = 1;
  if (count > 0) {
    const uint64_t before = io::TickBudget::now_ns();
    deliver(count);
    pace(count, io::TickBudget::now_ns() - before);
  }
  in_batch = 0;
  engine_.settle(rows.first(count), take_commands());
  update();
}

/// One call into JavaScript, which leaves its commands in the table.
void IoHost::deliver(size_t count) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value callback = nullptr;
  napi_value receiver = nullptr;
  napi_value argument = nullptr;
  napi_value result = nullptr;
  napi_get_reference_value(env_, on_batch_, &callback);
  napi_get_global(env_, &receiver);
  napi_create_uint32(env_, static_cast<uint32_t>(count), &argument);
  if (napi_make_callback(env_, context_, receiver, callback, 1, &argument, &result) != napi_ok) {
    bool thrown = false;
    napi_is_exception_pending(env_, &thrown);
    if (thrown && napi_get_and_clear_last_exception(env_, &result) == napi_ok) {
      napi_fatal_exception(env_, result);
    }
  }
  napi_close_handle_scope(env_, scope);
}

/// A batch is not interrupted, so its size has to bound its time: slow handlers get fewer messages
/// at once, and what is left over comes after other people's timers and events.
void IoHost::pace(size_t count, uint64_t took_ns) {
  if (took_ns > kHandlersNs) {
    batch_rows_ = std::max(kLeastRows, std::min(batch_rows_, count) / 2);
  } else if (count == batch_rows_ && took_ns < kHandlersNs / 4) {
    batch_rows_ = std::min(kRows, batch_rows_ * 2);
  }
}

std::span<const io::Command> IoHost::take_commands() {
  auto* table = reinterpret_cast<io::Command*>(tables_.commands->data());
  const size_t count = std::min<size_t>(std::exchange(table->slot, 0), kCommands);
  return {table + 1, count};
}

void IoHost::flush() {
  engine_.execute(take_commands());
  update();
}

void IoHost::watch() {
  if (engine_.watch()) {
    turn();
  } else {
    update();
  }
}

void IoHost::update() {
  // What is left over is dealt with in the next turn of the loop, after other people's events.
  if (engine_.backlog() != idle_runs_) {
    idle_runs_ = !idle_runs_;
    const auto on_idle = [](uv_handle_s* handle) {
      static_cast<IoHost*>(uv_handle_get_data(handle))->turn();
    };
    if (idle_runs_) {
      uv_idle_start(idle_, on_idle);
    } else {
      uv_idle_stop(idle_);
    }
  }
  const bool active = engine_.active() > 0;
  if (active == active_) return;
  active_ = active;
  if (active) {
    uv_ref(poll_);
    const auto on_timer = [](uv_handle_s* handle) {
      static_cast<IoHost*>(uv_handle_get_data(handle))->watch();
    };
    uv_timer_start(timer_, on_timer, kWatchMs, kWatchMs);
  } else {
    uv_unref(poll_);
    uv_timer_stop(timer_);
  }
}

void IoHost::on_cleanup(napi_async_cleanup_hook_handle /*handle*/, void* data) {
  auto* host = static_cast<IoHost*>(data);
  instance_of(host->env_).io = nullptr;
  host->close();
}

void IoHost::close() {
  engine_.shut_down();
  if (open_handles_ == 0) {
    delete this;
    return;
  }
  // The last handle to be closed takes the host along.
  const auto on_closed = [](uv_handle_s* handle) {
    auto* host = static_cast<IoHost*>(uv_handle_get_data(handle));
    if (--host->open_handles_ == 0) delete host;
  };
  for (uv_handle_s* handle : {poll_, idle_, timer_}) uv_close(handle, on_closed);
}

IoHost::~IoHost() {
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  if (on_batch_ != nullptr) napi_delete_reference(env_, on_batch_);
  if (hook_ != nullptr) napi_remove_async_cleanup_hook(hook_);
}

}  // namespace dwcp::binding
