// Proves the OpenSSL of this process by doing: a whole handshake in memory, resumed once, and a
// record each way. What is there by name may still behave otherwise (BoringSSL, a FIPS provider).
#pragma once

#include "core/io/tls_context.h"

namespace dwcp::io {

/// False with the reason. The identity must be accepted by its own roots in both roles.
bool probe_tls(const openssl::Library& library, const TlsIdentity& identity, TlsReason& reason);

}  // namespace dwcp::io
