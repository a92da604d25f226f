// Functions called once per engine, socket or tick; whatever happens per message goes through the
// tables of io_host.h. A failure of the kernel is a negative errno, as in libuv.
#include "binding/io_binding.h"

#include <array>
#include <cstring>

#include "binding/arguments.h"
#include "binding/instance.h"
#include "binding/io_host.h"

namespace dwcp::binding {
namespace {

constexpr int64_t kMaxBudget = int64_t{4095} << 20;
constexpr int64_t kMaxConnections = 1 << 20;

Napi::Value number(Napi::Env env, double value) { return Napi::Number::New(env, value); }

/// The engine of this environment; null with a pending ERR_DWCP_CLOSED.
IoHost* host_of(const Napi::CallbackInfo& info) {
  IoHost* host = instance_of(info.Env()).io;
  if (host == nullptr) {
    throw_status(info.Env(), {ErrorCode::CLOSED, "The I/O engine is not running."});
  }
  return host;
}

bool read_u32(const Napi::CallbackInfo& info, size_t index, uint32_t& out) {
  int64_t value = 0;
  if (!read_integer(info, index, 0, UINT32_MAX, "An unsigned 32-bit integer is needed.", value)) {
    return false;
  }
  out = static_cast<uint32_t>(value);
  return true;
}

template <size_t N>
bool read_text(const Napi::CallbackInfo& info, size_t index, std::array<char, N>& out) {
  size_t size = 0;
  if (napi_get_value_string_latin1(info.Env(), info[index], out.data(), N, &size) == napi_ok) {
    return true;
  }
  throw_status(info.Env(), {ErrorCode::INVALID_ARG, "A string is needed."});
  return false;
}

/// host, port, framed, userTimeoutMs, notsentLowat, congestion, reusePort, backlog, tls,
/// keepAliveSeconds.
bool read_socket(const Napi::CallbackInfo& info, sockaddr_storage& address, io::Wire& wire,
                 io::SocketOptions& options) {
  std::array<char, 64> host{};
  uint32_t port = 0;
  uint32_t is_framed = 0;
  uint32_t reuse_port = 0;
  uint32_t backlog = 0;
  uint32_t keep_alive_s = 0;
  if (!read_u32(info, 1, port) || !read_u32(info, 2, is_framed) ||
      !read_u32(info, 3, options.user_timeout_ms) || !read_u32(info, 4, options.notsent_lowat) ||
      !read_u32(info, 6, reuse_port) || !read_u32(info, 7, backlog) ||
      !read_u32(info, 8, wire.tls) || !read_u32(info, 9, keep_alive_s) ||
      !read_text(info, 0, host) || !read_text(info, 5, options.congestion)) {
    return false;
  }
  wire.framed = is_framed != 0;
  options.reuse_port = reuse_port != 0;
  options.backlog = static_cast<int>(backlog & 0xffff);
  options.keep_alive_s = static_cast<int>(keep_alive_s & 0x7fff);
  if (port <= UINT16_MAX && io::read_address(host.data(), static_cast<uint16_t>(port), address)) {
    return true;
  }
  throw_status(info.Env(), {ErrorCode::INVALID_ARG, "The host must be a numeric IP address."});
  return false;
}

io::Connection* read_connection(const Napi::CallbackInfo& info) {
  uint32_t slot = 0;
  uint32_t generation = 0;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_u32(info, 0, slot) || !read_u32(info, 1, generation)) return nullptr;
  return host->engine().find(slot, generation);
}

/// tier, budgetBytes, maxConnections, onBatch: the tables, or a negative errno.
Napi::Value io_open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int64_t tier = 0;
  int64_t budget = 0;
  int64_t connections = 0;
  if (!read_integer(info, 0, 0, 1, "The tier must be 0 or 1.", tier) ||
      !read_integer(info, 1, 1, kMaxBudget, "budgetBytes must be below 4 GiB.", budget) ||
      !read_integer(info, 2, 1, kMaxConnections, "maxConnections is out of range.", connections)) {
    return {};
  }
  if (!info[3].IsFunction() || instance_of(env).io != nullptr) {
    throw_status(env, {ErrorCode::INVALID_ARG, "An engine is opened once, with a callback."});
    return {};
  }
  int error = 0;
  IoHost* host = IoHost::open(
      env,
      {static_cast<io::Tier>(tier), static_cast<size_t>(budget), static_cast<size_t>(connections)},
      info[3].As<Napi::Function>(), error);
  if (host == nullptr) return number(env, error);
  const std::array<napi_value, 4> tables{host->rows(env), host->commands(env), host->sent(env),
                                         host->counters(env)};
  for (const napi_value table : tables) {
    if (table != nullptr) continue;
    // A runtime that allows no external memory (a V8 memory cage) has no use for the engine.
    host->close();
    return number(env, -ENOTSUP);
  }
  instance_of(env).io = host;
  Napi::Object result = Napi::Object::New(env);
  result["rows"] = Napi::Value(env, tables[0]);
  result["commands"] = Napi::Value(env, tables[1]);
  result["sent"] = Napi::Value(env, tables[2]);
  result["counters"] = Napi::Value(env, tables[3]);
  return result;
}

Napi::Value io_region(const Napi::CallbackInfo& info) {
  int64_t index = 0;
  IoHost* host = host_of(info);
  if (host == nullptr) return {};
  const auto last = static_cast<int64_t>(host->regions()) - 1;
  if (!read_integer(info, 0, 0, last, "There is no such region.", index)) return {};
  return {info.Env(), host->region(info.Env(), static_cast<size_t>(index))};
}

Napi::Value io_flush(const Napi::CallbackInfo& info) {
  if (IoHost* host = host_of(info)) host->flush();
  return info.Env().Undefined();
}

/// The new slab, or -1 at the budget.
Napi::Value io_stage(const Napi::CallbackInfo& info) {
  IoHost* host = host_of(info);
  if (host == nullptr) return {};
  // What was written into the slab before must be taken over first.
  host->flush();
  const io::SlabId slab = host->engine().stage();
  return number(info.Env(), slab == io::kNoSlab ? -1.0 : static_cast<double>(slab));
}

/// `[id, port]`, or a negative errno.
Napi::Value io_listen(const Napi::CallbackInfo& info) {
  sockaddr_storage address;
  io::Wire wire;
  io::SocketOptions options;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_socket(info, address, wire, options)) return {};
  const int id = host->engine().listen(address, options, wire);
  host->update();
  if (id < 0) return number(info.Env(), id);
  Napi::Array result = Napi::Array::New(info.Env(), 2);
  result[0U] = number(info.Env(), id);
  result[1U] = number(info.Env(), io::port_of(address));
  return result;
}

Napi::Value io_unlisten(const Napi::CallbackInfo& info) {
  uint32_t id = 0;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_u32(info, 0, id)) return {};
  host->engine().unlisten(id);
  host->update();
  return info.Env().Undefined();
}

/// `[slot, generation]`, or a negative errno.
Napi::Value io_connect(const Napi::CallbackInfo& info) {
  sockaddr_storage address;
  io::Wire wire;
  io::SocketOptions options;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_socket(info, address, wire, options)) return {};
  uint32_t slot = 0;
  uint32_t generation = 0;
  const int error = host->engine().connect(address, options, wire, slot, generation);
  host->update();
  if (error < 0) return number(info.Env(), error);
  Napi::Array result = Napi::Array::New(info.Env(), 2);
  result[0U] = number(info.Env(), slot);
  result[1U] = number(info.Env(), generation);
  return result;
}

/// `host:port` of the peer, or undefined when it is gone.
Napi::Value io_peer(const Napi::CallbackInfo& info) {
  const io::Connection* connection = read_connection(info);
  if (info.Env().IsExceptionPending()) return {};
  sockaddr_storage address;
  socklen_t size = sizeof address;
  if (connection == nullptr ||
      getpeername(connection->fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) {
    return info.Env().Undefined();
  }
  std::array<char, 64> text{};
  io::show_address(address, text.data(), text.size());
  return Napi::String::New(info.Env(), text.data());
}

/// Bytes received, 0 when the connection is gone.
Napi::Value io_received(const Napi::CallbackInfo& info) {
  const io::Connection* connection = read_connection(info);
  if (info.Env().IsExceptionPending()) return {};
  return number(info.Env(),
                connection == nullptr ? 0.0 : static_cast<double>(connection->received_bytes));
}

/// The numbers of TCP_INFO in the order of `PathSample`, or undefined when the connection is gone.
Napi::Value io_path(const Napi::CallbackInfo& info) {
  const io::Connection* connection = read_connection(info);
  io::PathSample sample;
  if (info.Env().IsExceptionPending()) return {};
  if (connection == nullptr || io::sample_path(connection->fd, sample) < 0) {
    return info.Env().Undefined();
  }
  const std::array<double, 8> values{sample.rtt_us,        sample.rtt_var_us,  sample.min_rtt_us,
                                     sample.cwnd_segments, sample.retransmits, sample.delivery_rate,
                                     sample.notsent_bytes, sample.bytes_acked};
  Napi::Array result = Napi::Array::New(info.Env(), values.size());
  for (uint32_t i = 0; i < values.size(); ++i) result[i] = number(info.Env(), values[i]);
  return result;
}

/// Name of the congestion control in use, or undefined.
Napi::Value io_congestion(const Napi::CallbackInfo& info) {
  const io::Connection* connection = read_connection(info);
  std::array<char, 16> name{};
  if (info.Env().IsExceptionPending()) return {};
  if (connection == nullptr || io::get_congestion(connection->fd, name.data(), name.size()) < 0) {
    return info.Env().Undefined();
  }
  return Napi::String::New(info.Env(), name.data());
}

/// name: 0 when sockets may use that congestion control, or a negative errno.
Napi::Value io_probe_congestion(const Napi::CallbackInfo& info) {
  std::array<char, 16> name{};
  if (!read_text(info, 0, name)) return {};
  return number(info.Env(), io::probe_congestion(name.data()));
}

/// slot, generation, congestion, notsentLowat: sets options of a live connection; 0 or a negative
/// errno.
Napi::Value io_tune(const Napi::CallbackInfo& info) {
  const io::Connection* connection = read_connection(info);
  std::array<char, 16> congestion{};
  uint32_t notsent_lowat = 0;
  if (info.Env().IsExceptionPending() || !read_text(info, 2, congestion) ||
      !read_u32(info, 3, notsent_lowat)) {
    return {};
  }
  if (connection == nullptr) return number(info.Env(), -ENOTCONN);
  int error = io::set_notsent_lowat(connection->fd, notsent_lowat);
  if (error == 0 && congestion[0] != 0)
    error = io::set_congestion(connection->fd, congestion.data());
  return number(info.Env(), error);
}

}  // namespace

void export_io(Napi::Env env, Napi::Object exports) {
  exports["ioOpen"] = Napi::Function::New<io_open>(env, "ioOpen");
  exports["ioRegion"] = Napi::Function::New<io_region>(env, "ioRegion");
  exports["ioFlush"] = Napi::Function::New<io_flush>(env, "ioFlush");
  exports["ioStage"] = Napi::Function::New<io_stage>(env, "ioStage");
  exports["ioListen"] = Napi::Function::New<io_listen>(env, "ioListen");
  exports["ioUnlisten"] = Napi::Function::New<io_unlisten>(env, "ioUnlisten");
  exports["ioConnect"] = Napi::Function::New<io_connect>(env, "ioConnect");
  exports["ioPeer"] = Napi::Function::New<io_peer>(env, "ioPeer");
  exports["ioReceived"] = Napi::Function::New<io_received>(env, "ioReceived");
  exports["ioPath"] = Napi::Function::New<io_path>(env, "ioPath");
  exports["ioProbeCongestion"] = Napi::Function::New<io_probe_congestion>(env, "ioProbeCongestion");
  exports["ioTune"] = Napi::Function::New<io_tune>(env, "ioTune");
  exports["ioCongestion"] = Napi::Function::New<io_congestion>(env, "ioCongestion");
}

}  // namespace dwcp::binding
