// Two TLS sessions that talk in memory, over the OpenSSL of this machine: tests and fuzzers find it
// at run time, as the addon finds Node's.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "core/io/tls_session.h"
#include "test/tls_identity.h"

namespace dwcp::test {

inline void* find_symbol(void* from, const char* name) {
  void* ssl = dlsym(from, name);
  // libcrypto comes with libssl, but is not searched through its handle everywhere.
  static void* crypto = dlopen("libcrypto.so.3", RTLD_NOW);
  return ssl != nullptr || crypto == nullptr ? ssl : dlsym(crypto, name);
}

inline void* libssl() {
  static void* library = dlopen("libssl.so.3", RTLD_NOW);
  return library;
}

/// The library, or null where there is none.
inline io::openssl::Library* openssl_library() {
  static io::openssl::Library library;
  static const bool loaded = libssl() != nullptr && library.load(find_symbol, libssl()) == nullptr;
  return loaded ? &library : nullptr;
}

/// False, said aloud, where there is no OpenSSL to test with.
inline bool has_openssl() {
  if (openssl_library() != nullptr) return true;
  std::printf("  skipped: no libssl.so.3 on this machine\n");
  return false;
}

inline io::TlsIdentity tls_identity(uint32_t ticket_interval_ms = 3'600'000) {
  return {kCertificate, kKey, kRoot, ticket_interval_ms};
}

inline Shared<io::TlsContext> tls_context(
    uint32_t ticket_interval_ms = 3'600'000,
    io::TlsContext::Clock clock = io::TlsContext::system_clock) {
  auto context = Shared<io::TlsContext>::make();
  io::TlsReason reason;
  const io::TlsIdentity identity = tls_identity(ticket_interval_ms);
  if (!context->start(*openssl_library(), identity, reason, clock)) std::abort();
  return context;
}

class TlsHeap final : public io::RegionSource {
 public:
  uint8_t* add_region() override {
    regions_.push_back(std::make_unique_for_overwrite<uint8_t[]>(io::kRegionSize));
    return regions_.back().get();
  }

 private:
  std::vector<std::unique_ptr<uint8_t[]>> regions_;
};

/// One end; what it seals leaves as bytes.
class TlsEnd {
 public:
  TlsEnd(Shared<io::TlsContext> context, io::SlabPool& pool)
      : pool_(pool),
        arena_(pool, io::SlabUse::kSend),
        opened_(pool),
        tls(std::move(context), {pool, arena_, output_}) {}
  ~TlsEnd() { output_.clear(pool_); }

  std::vector<uint8_t> take() {
    std::vector<uint8_t> bytes;
    iovec piece{};
    while (output_.gather(&piece, 1) == 1) {
      const auto* data = static_cast<const uint8_t*>(piece.iov_base);
      bytes.insert(bytes.end(), data, data + piece.iov_len);
      output_.consume(pool_, piece.iov_len);
    }
    return bytes;
  }

  void feed(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      io::Piece piece{io::kNoSlab, nullptr, std::min(bytes.size(), io::kSlabSize)};
      piece.data = arena_.allocate(piece.size, piece.slab);
      if (piece.data == nullptr) std::abort();
      std::memcpy(piece.data, bytes.data(), piece.size);
      tls.feed(piece);
      bytes = bytes.subspan(piece.size);
    }
  }

  /// Takes the handshake as far as it goes, then opens records.
  io::TlsStep advance() {
    if (tls.failed()) return io::TlsStep::kFailed;
    if (!tls.established()) {
      const io::TlsStep step = tls.handshake();
      if (step != io::TlsStep::kDone) return step;
    }
    for (;;) {
      io::Piece piece;
      const io::TlsStep step = tls.open(opened_, piece);
      if (step != io::TlsStep::kDone) return step;
      heard.insert(heard.end(), piece.data, piece.data + piece.size);
      pool_.release(piece.slab);
    }
  }

  void say(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      io::Piece piece{io::kNoSlab, nullptr, std::min(bytes.size(), io::kSlabSize)};
      piece.data = arena_.allocate(piece.size, piece.slab);
      if (piece.data == nullptr) std::abort();
      std::memcpy(piece.data, bytes.data(), piece.size);
      tls.plain().push(pool_, piece);
      bytes = bytes.subspan(piece.size);
    }
  }

 private:
  io::SlabPool& pool_;
  io::SlabArena arena_;
  io::OpenSlab opened_;
  io::SendQueue output_;

 public:
  io::TlsSession tls;
  std::vector<uint8_t> heard;
};

/// Lets two ends shake hands, their bytes cut into pieces of `step`.
inline void shake_hands(TlsEnd& dialer, TlsEnd& acceptor, size_t step = SIZE_MAX) {
  for (int round = 0; round < 8; ++round) {
    for (TlsEnd* end : {&dialer, &acceptor}) {
      end->advance();
      const std::vector<uint8_t> bytes = end->take();
      TlsEnd& other = end == &dialer ? acceptor : dialer;
      for (size_t at = 0; at < bytes.size(); at += std::min(step, bytes.size() - at)) {
        other.feed(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
        other.advance();
      }
    }
  }
}

}  // namespace dwcp::test
