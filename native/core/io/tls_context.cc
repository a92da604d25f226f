// See tls_context.h.
#include "core/io/tls_context.h"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "core/io/tls_session.h"

namespace dwcp::io {
namespace {

using openssl::Library;

// SSL_CTX_ctrl's commands and SSL_CTX_set_options' bits; numbers of the public interface.
constexpr int kSetMode = 33;
constexpr int kSetReadAhead = 41;
constexpr int kSetCacheMode = 44;
constexpr int kSetMaxCertList = 51;
constexpr int kAddChainCert = 89;
constexpr int kSetMinVersion = 123;
constexpr int kSetMaxVersion = 124;
constexpr uint64_t kNoRenegotiation = uint64_t{1} << 30;
constexpr uint64_t kServerPreference = uint64_t{1} << 22;
constexpr uint64_t kNoCompression = uint64_t{1} << 17;
constexpr long kModeReleaseBuffers = 0x10;
constexpr long kClientCacheOnly = 0x0001 | 0x0300;  // CLIENT, NO_INTERNAL

/// The same suites in the same order as over node:tls (lib/transport/tls-policy.ts).
constexpr const char* kSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/// A chain of a few certificates; what is larger is refused before it is parsed.
constexpr long kMaxCertListBytes = 32 * 1024;
constexpr size_t kMaxSessions = 256;
constexpr uint8_t kSessionIdContext[] = "dwcp";
/// A source and sink (0x0400). Nobody looks for it by its number, and OpenSSL has fewer to give out
/// (BIO_get_new_index: 127 per process) than a process may have identities, one after the other.
constexpr int kBioType = 0x0400 | 0xff;

}  // namespace

uint64_t TlsContext::system_clock() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

void TlsReason::set(const char* words) {
  std::strncpy(text.data(), words == nullptr ? "" : words, text.size() - 1);
}

TlsContext::~TlsContext() {
  if (library_ == nullptr) return;
  for (const Kept& kept : sessions_) library_->SSL_SESSION_free(kept.session);
  if (context_ != nullptr) library_->SSL_CTX_free(context_);
  if (method_ != nullptr) library_->BIO_meth_free(method_);
  if (mac_params_ != nullptr) library_->OSSL_PARAM_free(mac_params_);
}

bool TlsContext::start(const Library& library, const TlsIdentity& identity, TlsReason& reason,
                       Clock clock) {
  library_ = &library;
  clock_ = clock;
  library.ERR_clear_error();
  interval_ms_ = identity.ticket_interval_ms;
  context_ = library.SSL_CTX_new(library.TLS_method());
  if (context_ == nullptr || !make_bio_method() || !make_keys(current_)) {
    return fail(reason, "OpenSSL cannot make a context");
  }
  rotate_at_ms_ = clock_() + interval_ms_;
  if (library.SSL_CTX_ctrl(context_, kSetMinVersion, openssl::kTls13, nullptr) != 1 ||
      library.SSL_CTX_ctrl(context_, kSetMaxVersion, openssl::kTls13, nullptr) != 1 ||
      library.SSL_CTX_set_ciphersuites(context_, kSuites) != 1) {
    return fail(reason, "OpenSSL has no TLS 1.3");
  }
  set_policy();
  if (!use_identity(identity, reason)) return false;
  return add_roots(identity.roots) || fail(reason, "a root certificate cannot be read");
}

void TlsContext::set_policy() {
  const Library& lib = *library_;
  lib.SSL_CTX_set_options(context_, kNoRenegotiation | kServerPreference | kNoCompression);
  lib.SSL_CTX_ctrl(context_, kSetMode, kModeReleaseBuffers, nullptr);
  lib.SSL_CTX_ctrl(context_, kSetReadAhead, 1, nullptr);
  lib.SSL_CTX_ctrl(context_, kSetMaxCertList, kMaxCertListBytes, nullptr);
  lib.SSL_CTX_ctrl(context_, kSetCacheMode, kClientCacheOnly, nullptr);
  lib.SSL_CTX_set_verify(context_, openssl::kVerifyPeerAlways, nullptr);
  lib.SSL_CTX_set_session_id_context(context_, kSessionIdContext, sizeof kSessionIdContext - 1);
  lib.SSL_CTX_set_timeout(context_, static_cast<long>(2 * interval_ms_ / 1000 + 1));
  lib.SSL_CTX_set_num_tickets(context_, 1);
  lib.SSL_CTX_set_max_early_data(context_, 0);
  lib.SSL_CTX_sess_set_new_cb(context_, TlsSession::on_new_session);
  lib.SSL_CTX_set_tlsext_ticket_key_evp_cb(context_, TlsSession::on_ticket);
}

bool TlsContext::use_identity(const TlsIdentity& identity, TlsReason& reason) {
  const Library& lib = *library_;
  const uint8_t* at = identity.certificates.data();
  const uint8_t* end = at + identity.certificates.size();
  bool first = true;
  while (at < end) {
    openssl::Certificate* certificate = lib.d2i_X509(nullptr, &at, static_cast<long>(end - at));
    if (certificate == nullptr) return fail(reason, "the certificate cannot be read");
    // Both take a share of their own.
    const bool taken = first ? lib.SSL_CTX_use_certificate(context_, certificate) == 1
                             : lib.SSL_CTX_ctrl(context_, kAddChainCert, 1, certificate) == 1;
    lib.X509_free(certificate);
    if (!taken) return fail(reason, "the certificate cannot be used");
    first = false;
  }
  at = identity.key.data();
  openssl::Key* key = lib.d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(identity.key.size()));
  if (key == nullptr) return fail(reason, "the private key cannot be read");
  const bool fits = lib.SSL_CTX_use_PrivateKey(context_, key) == 1 &&
                    lib.SSL_CTX_check_private_key(context_) == 1;
  lib.EVP_PKEY_free(key);
  return fits || fail(reason, "the private key does not belong to the certificate");
}

bool TlsContext::add_roots(std::span<const uint8_t> roots) {
  const Library& lib = *library_;
  openssl::Store* store = lib.SSL_CTX_get_cert_store(context_);
  const uint8_t* at = roots.data();
  const uint8_t* end = at + roots.size();
  while (at < end) {
    openssl::Certificate* root = lib.d2i_X509(nullptr, &at, static_cast<long>(end - at));
    if (root == nullptr) return false;
    const bool added = lib.X509_STORE_add_cert(store, root) == 1;
    lib.X509_free(root);
    if (!added) return false;
  }
  return true;
}

bool TlsContext::make_bio_method() {
  const Library& lib = *library_;
  method_ = lib.BIO_meth_new(kBioType, "dwcp");
  return method_ != nullptr && lib.BIO_meth_set_read(method_, TlsSession::on_bio_read) == 1 &&
         lib.BIO_meth_set_write(method_, TlsSession::on_bio_write) == 1 &&
         lib.BIO_meth_set_ctrl(method_, TlsSession::on_bio_control) == 1;
}

openssl::Ssl* TlsContext::make_ssl() const {
  const Library& lib = *library_;
  openssl::Bio* bio = lib.BIO_new(method_);
  openssl::Ssl* ssl = bio == nullptr ? nullptr : lib.SSL_new(context_);
  if (ssl == nullptr) return nullptr;
  lib.BIO_set_init(bio, 1);
  lib.SSL_set_bio(ssl, bio, bio);
  return ssl;
}

openssl::Session* TlsContext::take_session(const Destination& to) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [&](const Kept& kept) { return kept.to == to; });
  if (found == sessions_.end()) return nullptr;
  openssl::Session* session = found->session;
  sessions_.erase(found);
  return session;
}

void TlsContext::keep_session(const Destination& to, openssl::Session* session) {
  if (openssl::Session* old = take_session(to)) library_->SSL_SESSION_free(old);
  if (sessions_.size() >= kMaxSessions) {
    library_->SSL_SESSION_free(sessions_.front().session);
    sessions_.erase(sessions_.begin());
  }
  sessions_.push_back({to, session});
}

bool TlsContext::make_keys(TicketKeys& keys) {
  const Library& lib = *library_;
  if (mac_params_ == nullptr) {
    openssl::ParamBuilder* builder = lib.OSSL_PARAM_BLD_new();
    if (builder == nullptr) return false;
    if (lib.OSSL_PARAM_BLD_push_utf8_string(builder, "digest", "SHA256", 0) == 1) {
      mac_params_ = lib.OSSL_PARAM_BLD_to_param(builder);
    }
    lib.OSSL_PARAM_BLD_free(builder);
    if (mac_params_ == nullptr) return false;
  }
  keys.made = lib.RAND_bytes(keys.name.data(), static_cast<int>(keys.name.size())) == 1 &&
              lib.RAND_bytes(keys.cipher.data(), static_cast<int>(keys.cipher.size())) == 1 &&
              lib.RAND_bytes(keys.mac.data(), static_cast<int>(keys.mac.size())) == 1;
  return keys.made;
}

bool TlsContext::rotate_when_due() {
  const uint64_t now = clock_();
  if (now < rotate_at_ms_) return true;
  // Unused for longer than an interval: the keys before are too old as well.
  previous_ = now < rotate_at_ms_ + interval_ms_ ? current_ : TicketKeys{};
  rotate_at_ms_ = now + interval_ms_;
  ++rotations_;
  return make_keys(current_);
}

int TlsContext::ticket_keys(uint8_t* name, uint8_t* iv, openssl::CipherContext* cipher,
                            openssl::MacContext* mac, bool seal) {
  constexpr int kRefused = 0;
  constexpr int kUse = 1;
  constexpr int kUseAndRenew = 2;  // a ticket is for one use: whoever resumes gets the next
  constexpr int kFailed = -1;
  constexpr int kIvSize = 16;
  const Library& lib = *library_;
  if (!rotate_when_due()) return kFailed;
  const TicketKeys* keys = &current_;
  if (seal) {
    std::memcpy(name, keys->name.data(), kTicketNameSize);
    if (lib.RAND_bytes(iv, kIvSize) != 1) return kFailed;
  } else if (std::memcmp(name, keys->name.data(), kTicketNameSize) != 0) {
    keys = &previous_;
    if (!keys->made || std::memcmp(name, keys->name.data(), kTicketNameSize) != 0) return kRefused;
  }
  const auto init = seal ? lib.EVP_EncryptInit_ex : lib.EVP_DecryptInit_ex;
  if (init(cipher, lib.EVP_aes_256_cbc(), nullptr, keys->cipher.data(), iv) != 1 ||
      lib.EVP_MAC_init(mac, keys->mac.data(), keys->mac.size(), mac_params_) != 1) {
    return kFailed;
  }
  return seal ? kUse : kUseAndRenew;
}

bool TlsContext::fail(TlsReason& reason, const char* fallback) const {
  const char* words = library_->ERR_reason_error_string(library_->ERR_get_error());
  reason.set(words == nullptr ? fallback : words);
  library_->ERR_clear_error();
  return false;
}

}  // namespace dwcp::io
