// See tls_openssl.h.
#include "core/io/tls_openssl.h"

#include <cstring>

namespace dwcp::io::openssl {

const char* Library::load(Resolve resolve, void* from) {
  void* found = nullptr;
#define DWCP_OPENSSL_LOAD(name, result, parameters) \
  found = resolve(from, #name);                     \
  if (found == nullptr) return #name;               \
  static_assert(sizeof found == sizeof name);       \
  std::memcpy(&name, &found, sizeof found);
  DWCP_OPENSSL(DWCP_OPENSSL_LOAD)
#undef DWCP_OPENSSL_LOAD
  constexpr unsigned kMajorShift = 28;
  return OpenSSL_version_num() >> kMajorShift >= 3 ? nullptr : "OpenSSL 3";
}

}  // namespace dwcp::io::openssl
