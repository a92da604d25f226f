// Called once per identity. Certificates and keys come as DER; what OpenSSL says about them goes
// back as a string, since only it knows the words.
#include "binding/tls_binding.h"

#include <array>

#include "binding/arguments.h"
#include "binding/instance.h"
#include "binding/io_host.h"
#include "core/io/tls_probe.h"

namespace dwcp::binding {
namespace {

/// The longest interval of ticket keys: a week, the most RFC 8446 lets a ticket live.
constexpr int64_t kMaxTicketMs = int64_t{7} * 24 * 60 * 60 * 1000;

IoHost* host_of(const Napi::CallbackInfo& info) {
  IoHost* host = instance_of(info.Env()).io;
  if (host == nullptr) {
    throw_status(info.Env(), {ErrorCode::CLOSED, "The I/O engine is not running."});
  }
  return host;
}

void* find_symbol(void* library, const char* name) {
  void* found = nullptr;
  return uv_dlsym(library, name, &found) == 0 ? found : nullptr;
}

/// Finds OpenSSL among what the process exports. Null when it is there, else what is missing.
const char* load_openssl(io::openssl::Library& library) {
  if (library.OpenSSL_version_num != nullptr) return nullptr;
  // The process itself: never closed, so nothing found in it goes away.
  std::array<uint64_t, kUvLibraryWords> process{};
  if (uv_dlopen(nullptr, process.data()) != 0) return "dlopen";
  io::openssl::Library found;
  const char* missing = found.load(find_symbol, process.data());
  if (missing == nullptr) library = found;
  return missing;
}

/// certificates, key, roots, ticketIntervalMs.
bool read_identity(const Napi::CallbackInfo& info, io::TlsIdentity& identity) {
  int64_t interval = 0;
  if (!read_integer(info, 3, 1, kMaxTicketMs, "The ticket interval is out of range.", interval) ||
      !read_bytes(info, 0, Use::kDuringCall, identity.certificates) ||
      !read_bytes(info, 1, Use::kDuringCall, identity.key) ||
      !read_bytes(info, 2, Use::kDuringCall, identity.roots)) {
    return false;
  }
  identity.ticket_interval_ms = static_cast<uint32_t>(interval);
  return true;
}

/// Undefined when TLS works here, else why not.
Napi::Value tls_probe(const Napi::CallbackInfo& info) {
  io::TlsIdentity identity;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_identity(info, identity)) return {};
  io::openssl::Library& library = host->engine().openssl();
  if (const char* missing = load_openssl(library)) {
    return Napi::String::New(info.Env(), std::string("this runtime exports no ") + missing);
  }
  io::TlsReason reason;
  if (io::probe_tls(library, identity, reason)) return info.Env().Undefined();
  return Napi::String::New(info.Env(), reason.text.data());
}

/// The number of a new context, or why there is none.
Napi::Value tls_add(const Napi::CallbackInfo& info) {
  io::TlsIdentity identity;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_identity(info, identity)) return {};
  io::openssl::Library& library = host->engine().openssl();
  if (const char* missing = load_openssl(library)) return Napi::String::New(info.Env(), missing);
  io::TlsReason reason;
  auto context = Shared<io::TlsContext>::make();
  if (!context->start(library, identity, reason)) {
    return Napi::String::New(info.Env(), reason.text.data());
  }
  return Napi::Number::New(info.Env(), host->engine().add_tls(std::move(context)));
}

bool read_number(const Napi::CallbackInfo& info, size_t index, uint32_t& out) {
  int64_t value = 0;
  if (!read_integer(info, index, 0, UINT32_MAX, "An unsigned 32-bit integer is needed.", value)) {
    return false;
  }
  out = static_cast<uint32_t>(value);
  return true;
}

Napi::Value tls_use(const Napi::CallbackInfo& info) {
  uint32_t listener = 0;
  uint32_t context = 0;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_number(info, 0, listener) || !read_number(info, 1, context)) {
    return {};
  }
  host->engine().use_tls(listener, context);
  return info.Env().Undefined();
}

Napi::Value tls_drop(const Napi::CallbackInfo& info) {
  uint32_t context = 0;
  IoHost* host = host_of(info);
  if (host == nullptr || !read_number(info, 0, context)) return {};
  host->engine().drop_tls(context);
  return info.Env().Undefined();
}

}  // namespace

void export_tls(Napi::Env env, Napi::Object exports) {
  exports["tlsProbe"] = Napi::Function::New<tls_probe>(env, "tlsProbe");
  exports["tlsAdd"] = Napi::Function::New<tls_add>(env, "tlsAdd");
  exports["tlsUse"] = Napi::Function::New<tls_use>(env, "tlsUse");
  exports["tlsDrop"] = Napi::Function::New<tls_drop>(env, "tlsDrop");
}

}  // namespace dwcp::binding
