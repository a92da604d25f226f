// What a socket may bring to TLS: any bytes before the handshake, and records of a live session
// that were changed, moved or cut. Nothing but what was sent is ever heard, and all memory comes
// back.
#include <cstdlib>

#include "test/tls_pair.h"

using namespace dwcp::io;
using namespace dwcp::test;

namespace {

void hear_anything(const dwcp::Shared<TlsContext>& context, SlabPool& pool,
                   std::span<const uint8_t> bytes, bool dialer) {
  TlsEnd end(context, pool);
  if (!(dialer ? end.tls.dial({}) : end.tls.accept())) std::abort();
  end.advance();
  end.feed(bytes);
  end.advance();
  if (!end.heard.empty() || end.tls.established()) std::abort();
}

void meddle(const dwcp::Shared<TlsContext>& context, SlabPool& pool,
            std::span<const uint8_t> changes) {
  TlsEnd dialer(context, pool);
  TlsEnd acceptor(context, pool);
  if (!dialer.tls.dial({}) || !acceptor.tls.accept()) std::abort();
  shake_hands(dialer, acceptor);
  if (!acceptor.tls.established()) std::abort();
  const std::vector<uint8_t> text(100, 'a');
  dialer.say(text);
  if (!dialer.tls.seal()) std::abort();
  auto bytes = dialer.take();
  for (size_t i = 0; i + 1 < changes.size(); i += 2) {
    bytes[changes[i] % bytes.size()] ^= changes[i + 1];
  }
  acceptor.feed(bytes);
  acceptor.advance();
  if (!acceptor.heard.empty() && acceptor.heard != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || openssl_library() == nullptr) return 0;
  static const auto context = tls_context();
  TlsHeap heap;
  SlabPool pool(heap, 4 * kRegionSize);
  const std::span<const uint8_t> rest(data + 1, size - 1);
  if (data[0] % 4 == 3) {
    meddle(context, pool, rest);
  } else {
    hear_anything(context, pool, rest, data[0] % 2 == 1);
  }
  if (pool.used() != 0) std::abort();
  return 0;
}
