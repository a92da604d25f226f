// One identity as OpenSSL sees it: certificate, key and roots for both roles, TLS 1.3 only, both
// ends verified. A rotation makes a new context; handshakes under way and live sessions keep the
// one they began with. Tickets are sealed with keys of the context, so nothing resumes across a
// change of certificate or roots; within one the keys change at an interval, and the keys before
// are good for one interval more. Sessions for dialling again are kept here too, for one use each.
#pragma once

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "core/io/tls_openssl.h"
#include "core/shared.h"

namespace dwcp::io {

/// Why something of TLS failed, in OpenSSL's words.
struct TlsReason {
  std::array<char, 160> text{};
  void set(const char* words);
};

struct TlsIdentity {
  std::span<const uint8_t> certificates;  // DER end to end, the own one first, then its issuers
  std::span<const uint8_t> key;           // DER, PKCS #8
  std::span<const uint8_t> roots;         // DER end to end
  uint32_t ticket_interval_ms = 0;
};

class TlsContext {
 public:
  static constexpr size_t kTicketNameSize = 16;
  static constexpr size_t kDestinationSize = 20;
  /// Names where a session was made: an address and port.
  using Destination = std::array<uint8_t, kDestinationSize>;

  TlsContext() = default;
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  /// Milliseconds of a clock that never goes back; the system's unless a test has its own.
  using Clock = uint64_t (*)();
  static uint64_t system_clock();

  /// False with the reason. The library must outlive the context.
  bool start(const openssl::Library& library, const TlsIdentity& identity, TlsReason& reason,
             Clock clock = system_clock);

  const openssl::Library& library() const { return *library_; }
  openssl::Ssl* make_ssl() const;

  /// Takes the session kept for a destination, or null.
  openssl::Session* take_session(const Destination& to);
  /// Keeps a session in place of an older one; takes it over.
  void keep_session(const Destination& to, openssl::Session* session);

  /// OpenSSL asks for the keys of a ticket; see SSL_CTX_set_tlsext_ticket_key_evp_cb.
  int ticket_keys(uint8_t* name, uint8_t* iv, openssl::CipherContext* cipher,
                  openssl::MacContext* mac, bool seal);
  /// How often the ticket keys changed since this was asked last.
  uint32_t take_rotations() { return std::exchange(rotations_, 0); }

 private:
  struct TicketKeys {
    std::array<uint8_t, kTicketNameSize> name{};
    std::array<uint8_t, 32> cipher{};
    std::array<uint8_t, 32> mac{};
    bool made = false;
  };
  struct Kept {
    Destination to{};
    openssl::Session* session = nullptr;
  };

  bool use_identity(const TlsIdentity& identity, TlsReason& reason);
  bool add_roots(std::span<const uint8_t> roots);
  void set_policy();
  bool make_bio_method();
  bool make_keys(TicketKeys& keys);
  bool rotate_when_due();
  bool fail(TlsReason& reason, const char* fallback) const;

  const openssl::Library* library_ = nullptr;
  openssl::Context* context_ = nullptr;
  openssl::BioMethod* method_ = nullptr;
  openssl::Param* mac_params_ = nullptr;
  TicketKeys current_;
  TicketKeys previous_;
  Clock clock_ = system_clock;
  uint64_t rotate_at_ms_ = 0;
  uint64_t interval_ms_ = 0;
  uint32_t rotations_ = 0;
  std::vector<Kept> sessions_;
};

}  // namespace dwcp::io
