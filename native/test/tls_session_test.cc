// TLS of the engine without sockets: handshakes in pieces, resumption, damage, and data that comes
// too early.
#include "core/io/tls_session.h"

#include "core/io/tls_probe.h"
#include "test/check.h"
#include "test/tls_pair.h"

using namespace dwcp::io;
using namespace dwcp::test;

namespace {

struct Memory {
  TlsHeap heap;
  SlabPool pool{heap, 16 * kRegionSize};
};

/// A pair that has shaken hands; whether the dialer resumed is in `dialer.tls.resumed()`.
struct Pair {
  Pair(Memory& memory, const dwcp::Shared<TlsContext>& context, size_t step = SIZE_MAX)
      : dialer(context, memory.pool), acceptor(context, memory.pool) {
    CHECK(dialer.tls.dial({}));
    CHECK(acceptor.tls.accept());
    shake_hands(dialer, acceptor, step);
  }
  TlsEnd dialer;
  TlsEnd acceptor;
};

void* nothing(void* /*from*/, const char* /*name*/) { return nullptr; }

}  // namespace

TEST(a_runtime_without_openssl_says_what_is_missing) {
  openssl::Library library;
  CHECK(std::strcmp(library.load(nothing, nullptr), "OpenSSL_version_num") == 0);
}

TEST(the_probe_passes_and_refuses_a_key_that_is_not_the_certificates) {
  if (!has_openssl()) return;
  TlsReason reason;
  CHECK(probe_tls(*openssl_library(), tls_identity(), reason));
  TlsIdentity broken = tls_identity();
  broken.key = broken.key.first(20);
  CHECK(!probe_tls(*openssl_library(), broken, reason));
  CHECK(reason.text[0] != '\0');
  broken = tls_identity();
  broken.certificates = broken.certificates.first(100);
  CHECK(!probe_tls(*openssl_library(), broken, reason));
}

TEST(bytes_in_any_pieces_arrive_and_all_memory_comes_back) {
  if (!has_openssl()) return;
  for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}, SIZE_MAX}) {
    Memory memory;
    {
      const auto context = tls_context();
      Pair pair(memory, context, step);
      CHECK(pair.dialer.tls.established() && pair.acceptor.tls.established());
      const auto text = sample(step == 1 ? 20'000 : 300'000, 1);
      pair.dialer.say(text);
      while (pair.dialer.tls.plain().bytes() > 0) {
        CHECK(pair.dialer.tls.seal());
        const auto bytes = pair.dialer.take();
        for (size_t at = 0; at < bytes.size(); at += std::min(step, bytes.size() - at)) {
          pair.acceptor.feed(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
          CHECK(pair.acceptor.advance() == TlsStep::kHungry);
        }
      }
      CHECK(pair.acceptor.heard == text);
      CHECK(pair.acceptor.tls.close_notify());
      pair.dialer.feed(pair.acceptor.take());
      CHECK(pair.dialer.advance() == TlsStep::kEnded);
      std::vector<uint8_t> der(TlsSession::kMaxCertificate);
      size_t size = 0;
      CHECK(pair.acceptor.tls.peer_certificate(der.data(), size));
      CHECK(std::equal(std::begin(kCertificate), std::end(kCertificate), der.begin()));
      CHECK(size == sizeof kCertificate);
    }
    CHECK(memory.pool.used() == 0);
  }
}

TEST(sessions_resume_once_per_ticket_and_only_with_the_identity_that_sealed_it) {
  if (!has_openssl()) return;
  Memory memory;
  const auto context = tls_context();
  CHECK(!Pair(memory, context).dialer.tls.resumed());
  CHECK(Pair(memory, context).dialer.tls.resumed());
  CHECK(Pair(memory, context).dialer.tls.resumed());
  const auto other = tls_context();
  CHECK(!Pair(memory, other).dialer.tls.resumed());
}

TEST(ticket_keys_seal_for_one_interval_and_open_for_two) {
  if (!has_openssl()) return;
  static uint64_t now = 0;
  constexpr uint32_t kInterval = 10'000;
  // OpenSSL has a clock of its own for the life of a session; hours of ours are no time for it.
  constexpr struct {
    uint64_t sealed_at, opened_at;
    bool resumed;
  } kCases[] = {{0, 9'999, true},       {0, 10'000, true},      {0, 19'999, true},
                {0, 20'000, false},     {9'999, 19'999, true},  {9'999, 20'000, false},
                {10'000, 20'000, true}, {10'000, 29'999, true}, {10'000, 30'000, false},
                {0, 3'600'000, false},  {25'000, 34'999, true}, {25'000, 45'000, false}};
  for (const auto& one : kCases) {
    Memory memory;
    now = 0;
    const auto context = tls_context(kInterval, [] { return now; });
    now = one.sealed_at;
    CHECK(!Pair(memory, context).dialer.tls.resumed());
    CHECK(context->take_rotations() == (one.sealed_at >= kInterval ? 1 : 0));
    now = one.opened_at;
    CHECK(Pair(memory, context).dialer.tls.resumed() == one.resumed);
    // Whoever was refused has a ticket of the new keys.
    CHECK(Pair(memory, context).dialer.tls.resumed());
  }
}

TEST(a_changed_byte_anywhere_ends_the_session_and_nothing_of_it_is_heard) {
  if (!has_openssl()) return;
  Memory memory;
  const auto context = tls_context();
  for (size_t at = 0; at < 60; at += 3) {
    Pair pair(memory, context);
    pair.dialer.say(sample(32, 2));
    CHECK(pair.dialer.tls.seal());
    auto bytes = pair.dialer.take();
    bytes[at % bytes.size()] ^= 0x40;
    pair.acceptor.feed(bytes);
    const TlsStep step = pair.acceptor.advance();
    // A longer length asks for bytes that never come.
    CHECK(step == TlsStep::kFailed || step == TlsStep::kHungry);
    CHECK(pair.acceptor.heard.empty());
    if (step == TlsStep::kFailed) CHECK(pair.acceptor.tls.fault() == TlsFault::kProtocol);
  }
}

TEST(a_peer_that_leaves_in_the_middle_of_the_handshake_is_told_of) {
  if (!has_openssl()) return;
  Memory memory;
  const auto context = tls_context();
  TlsEnd dialer(context, memory.pool);
  TlsEnd acceptor(context, memory.pool);
  CHECK(dialer.tls.dial({}) && acceptor.tls.accept());
  dialer.advance();
  const auto hello = dialer.take();
  acceptor.feed(std::span(hello).first(hello.size() / 2));
  CHECK(acceptor.advance() == TlsStep::kHungry);
  acceptor.tls.feed_end();
  CHECK(acceptor.advance() == TlsStep::kFailed);
  CHECK(acceptor.tls.fault() == TlsFault::kCut);
}

TEST(data_before_the_handshake_is_refused) {
  if (!has_openssl()) return;
  const openssl::Library& lib = *openssl_library();
  const auto load = [](const char* name) { return find_symbol(libssl(), name); };
  const auto set_early = reinterpret_cast<int (*)(openssl::Session*, uint32_t)>(
      load("SSL_SESSION_set_max_early_data"));
  const auto write_early = reinterpret_cast<int (*)(openssl::Ssl*, const void*, size_t, size_t*)>(
      load("SSL_write_early_data"));
  const auto memory_method = reinterpret_cast<const openssl::BioMethod* (*)()>(load("BIO_s_mem"));
  const auto bio_read = reinterpret_cast<int (*)(openssl::Bio*, void*, int)>(load("BIO_read"));
  const auto bio_write =
      reinterpret_cast<int (*)(openssl::Bio*, const void*, int)>(load("BIO_write"));
  Memory memory;
  const auto context = tls_context();
  { Pair first(memory, context); }
  openssl::Session* session = context->take_session({});
  CHECK(session != nullptr && set_early(session, 1000) == 1);
  openssl::Ssl* client = context->make_ssl();
  openssl::Bio* in = lib.BIO_new(memory_method());
  openssl::Bio* out = lib.BIO_new(memory_method());
  lib.SSL_set_bio(client, in, out);
  lib.SSL_set_connect_state(client);
  lib.SSL_set_session(client, session);
  lib.SSL_SESSION_free(session);
  size_t written = 0;
  CHECK(write_early(client, "early", 5, &written) == 1);

  TlsEnd acceptor(context, memory.pool);
  CHECK(acceptor.tls.accept());
  std::vector<uint8_t> room(64 * 1024);
  for (int round = 0; round < 6 && !acceptor.tls.failed(); ++round) {
    const int size = bio_read(out, room.data(), static_cast<int>(room.size()));
    if (size > 0) acceptor.feed({room.data(), static_cast<size_t>(size)});
    acceptor.advance();
    const auto answer = acceptor.take();
    if (!answer.empty()) bio_write(in, answer.data(), static_cast<int>(answer.size()));
    lib.SSL_do_handshake(client);
  }
  CHECK(acceptor.tls.fault() == TlsFault::kEarlyData);
  CHECK(acceptor.heard.empty());
  lib.SSL_free(client);
}
