// The part of OpenSSL 3 that secured links use, as a table of functions found by name at run time.
// Node links OpenSSL statically and exports it to addons; there are no headers of it where
// Node-API's are, and none are needed: every object is opaque, nothing here depends on a struct's
// layout. A runtime without these functions (BoringSSL, an OpenSSL kept hidden) gets node:tls.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dwcp::io::openssl {

struct Bio;
struct BioMethod;
struct Certificate;
struct Cipher;
struct CipherContext;
struct Context;
struct Digest;
struct Key;
struct MacContext;
struct Method;
struct Param;
struct ParamBuilder;
struct Session;
struct Ssl;
struct Store;

using NewSession = int (*)(Ssl*, Session*);
using Verify = int (*)(int, void*);
using TicketKey = int (*)(Ssl*, uint8_t* name, uint8_t* iv, CipherContext*, MacContext*, int seal);
using BioIo = int (*)(Bio*, char*, int);
using BioOut = int (*)(Bio*, const char*, int);
using BioControl = long (*)(Bio*, int, long, void*);

// name, result, parameters
#define DWCP_OPENSSL(FUNCTION)                                                        \
  FUNCTION(OpenSSL_version_num, unsigned long, ())                                    \
  FUNCTION(TLS_method, const Method*, ())                                             \
  FUNCTION(SSL_CTX_new, Context*, (const Method*))                                    \
  FUNCTION(SSL_CTX_free, void, (Context*))                                            \
  FUNCTION(SSL_CTX_ctrl, long, (Context*, int, long, void*))                          \
  FUNCTION(SSL_CTX_set_options, uint64_t, (Context*, uint64_t))                       \
  FUNCTION(SSL_CTX_set_ciphersuites, int, (Context*, const char*))                    \
  FUNCTION(SSL_CTX_set_verify, void, (Context*, int, Verify))                         \
  FUNCTION(SSL_CTX_get_cert_store, Store*, (const Context*))                          \
  FUNCTION(SSL_CTX_use_certificate, int, (Context*, Certificate*))                    \
  FUNCTION(SSL_CTX_use_PrivateKey, int, (Context*, Key*))                             \
  FUNCTION(SSL_CTX_check_private_key, int, (const Context*))                          \
  FUNCTION(SSL_CTX_set_session_id_context, int, (Context*, const uint8_t*, unsigned)) \
  FUNCTION(SSL_CTX_sess_set_new_cb, void, (Context*, NewSession))                     \
  FUNCTION(SSL_CTX_set_timeout, long, (Context*, long))                               \
  FUNCTION(SSL_CTX_set_num_tickets, int, (Context*, size_t))                          \
  FUNCTION(SSL_CTX_set_max_early_data, int, (Context*, uint32_t))                     \
  FUNCTION(SSL_CTX_set_tlsext_ticket_key_evp_cb, int, (Context*, TicketKey))          \
  FUNCTION(SSL_new, Ssl*, (Context*))                                                 \
  FUNCTION(SSL_free, void, (Ssl*))                                                    \
  FUNCTION(SSL_set_bio, void, (Ssl*, Bio*, Bio*))                                     \
  FUNCTION(SSL_set_accept_state, void, (Ssl*))                                        \
  FUNCTION(SSL_set_connect_state, void, (Ssl*))                                       \
  FUNCTION(SSL_set_session, int, (Ssl*, Session*))                                    \
  FUNCTION(SSL_do_handshake, int, (Ssl*))                                             \
  FUNCTION(SSL_read, int, (Ssl*, void*, int))                                         \
  FUNCTION(SSL_write, int, (Ssl*, const void*, int))                                  \
  FUNCTION(SSL_shutdown, int, (Ssl*))                                                 \
  FUNCTION(SSL_set_shutdown, void, (Ssl*, int))                                       \
  FUNCTION(SSL_get_error, int, (const Ssl*, int))                                     \
  FUNCTION(SSL_get_verify_result, long, (const Ssl*))                                 \
  FUNCTION(SSL_get1_peer_certificate, Certificate*, (const Ssl*))                     \
  FUNCTION(SSL_get_early_data_status, int, (const Ssl*))                              \
  FUNCTION(SSL_session_reused, int, (const Ssl*))                                     \
  FUNCTION(SSL_SESSION_free, void, (Session*))                                        \
  FUNCTION(d2i_X509, Certificate*, (Certificate**, const uint8_t**, long))            \
  FUNCTION(i2d_X509, int, (const Certificate*, uint8_t**))                            \
  FUNCTION(X509_free, void, (Certificate*))                                           \
  FUNCTION(X509_STORE_add_cert, int, (Store*, Certificate*))                          \
  FUNCTION(X509_verify_cert_error_string, const char*, (long))                        \
  FUNCTION(d2i_AutoPrivateKey, Key*, (Key**, const uint8_t**, long))                  \
  FUNCTION(EVP_PKEY_free, void, (Key*))                                               \
  FUNCTION(EVP_aes_256_cbc, const Cipher*, ())                                        \
  FUNCTION(EVP_EncryptInit_ex, int,                                                   \
           (CipherContext*, const Cipher*, void*, const uint8_t*, const uint8_t*))    \
  FUNCTION(EVP_DecryptInit_ex, int,                                                   \
           (CipherContext*, const Cipher*, void*, const uint8_t*, const uint8_t*))    \
  FUNCTION(EVP_MAC_init, int, (MacContext*, const uint8_t*, size_t, const Param*))    \
  FUNCTION(OSSL_PARAM_BLD_new, ParamBuilder*, ())                                     \
  FUNCTION(OSSL_PARAM_BLD_free, void, (ParamBuilder*))                                \
  FUNCTION(OSSL_PARAM_BLD_push_utf8_string, int,                                      \
           (ParamBuilder*, const char*, const char*, size_t))                         \
  FUNCTION(OSSL_PARAM_BLD_to_param, Param*, (ParamBuilder*))                          \
  FUNCTION(OSSL_PARAM_free, void, (Param*))                                           \
  FUNCTION(RAND_bytes, int, (uint8_t*, int))                                          \
  FUNCTION(BIO_meth_new, BioMethod*, (int, const char*))                              \
  FUNCTION(BIO_meth_free, void, (BioMethod*))                                         \
  FUNCTION(BIO_meth_set_read, int, (BioMethod*, BioIo))                               \
  FUNCTION(BIO_meth_set_write, int, (BioMethod*, BioOut))                             \
  FUNCTION(BIO_meth_set_ctrl, int, (BioMethod*, BioControl))                          \
  FUNCTION(BIO_new, Bio*, (const BioMethod*))                                         \
  FUNCTION(BIO_set_init, void, (Bio*, int))                                           \
  FUNCTION(BIO_set_flags, void, (Bio*, int))                                          \
  FUNCTION(BIO_clear_flags, void, (Bio*, int))                                        \
  FUNCTION(ERR_get_error, unsigned long, ())                                          \
  FUNCTION(ERR_clear_error, void, ())                                                 \
  FUNCTION(ERR_reason_error_string, const char*, (unsigned long))

/// Finds a function of this process by name; null when it is not there.
using Resolve = void* (*)(void* from, const char* name);

struct Library {
#define DWCP_OPENSSL_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  DWCP_OPENSSL(DWCP_OPENSSL_MEMBER)
#undef DWCP_OPENSSL_MEMBER

  /// Null when everything is there and of version 3 or later, else what is missing.
  const char* load(Resolve resolve, void* from);
};

// Numbers of OpenSSL's public interface.
inline constexpr int kErrorSsl = 1;
inline constexpr int kErrorWantRead = 2;
inline constexpr int kErrorSyscall = 5;
inline constexpr int kErrorZeroReturn = 6;
inline constexpr int kTls13 = 0x0304;
inline constexpr int kVerifyPeerAlways = 1 | 2;
inline constexpr int kVerifyOk = 0;

}  // namespace dwcp::io::openssl
