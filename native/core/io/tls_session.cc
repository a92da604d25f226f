// See tls_session.h.
#include "core/io/tls_session.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dwcp::io {
namespace {

using openssl::Library;

constexpr size_t kRecordBytes = 16 * 1024;
/// Sealed bytes that may wait for the kernel; plain ones wait behind them.
constexpr size_t kSealedBytes = 512 * 1024;
/// Most that one call reads from the socket itself: a record, and what few there are besides data.
constexpr size_t kSocketBytes = 64 * 1024;
/// Less room than this is not worth a read.
constexpr size_t kLeastRoom = 4 * 1024;
constexpr int kBioRead = 0x01;
constexpr int kBioRetry = 0x08;
constexpr int kBioFlush = 11;
constexpr unsigned long kReasonMask = 0x7fffff;
constexpr unsigned long kAlertOffset = 1000;
constexpr int kEarlyDataRejected = 1;
constexpr int kShutDown = 1 | 2;

/// Whose call into OpenSSL is under way: its callbacks come on the same thread, within the call.
thread_local TlsSession* active = nullptr;

class Entered {
 public:
  Entered(TlsSession* session, const Library& lib) : before_(std::exchange(active, session)) {
    // What others left in the queue would be taken for this call's.
    lib.ERR_clear_error();
  }
  ~Entered() { active = before_; }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  TlsSession* before_;
};

}  // namespace

bool OpenSlab::open(size_t size) {
  if (slab_ != kNoSlab && pool_.sole_user(slab_)) filled_ = 0;
  if (slab_ != kNoSlab && room() >= size) return true;
  const SlabId next = pool_.acquire(SlabUse::kReceive);
  if (next == kNoSlab) return false;
  close();
  slab_ = next;
  return true;
}

Piece OpenSlab::take(size_t size) {
  const Piece piece{slab_, data(), size};
  pool_.retain(slab_);
  filled_ += size;
  return piece;
}

void OpenSlab::close() {
  if (slab_ != kNoSlab) pool_.release(slab_);
  slab_ = kNoSlab;
  filled_ = 0;
}

TlsSession::~TlsSession() {
  drop_input();
  plain_.clear(place_.pool);
  if (ssl_ == nullptr) return;
  const Library& lib = context_->library();
  const Entered entered(this, lib);
  // OpenSSL takes a session that was not shut down for spoilt; TLS 1.3 does not ask for that.
  if (established_ && !failed()) lib.SSL_set_shutdown(ssl_, kShutDown);
  lib.SSL_free(ssl_);
}

bool TlsSession::accept() {
  if (!start()) return false;
  context_->library().SSL_set_accept_state(ssl_);
  return true;
}

bool TlsSession::dial(const TlsContext::Destination& to) {
  if (!start()) return false;
  const Library& lib = context_->library();
  dialled_ = true;
  destination_ = to;
  lib.SSL_set_connect_state(ssl_);
  if (openssl::Session* session = context_->take_session(to)) {
    lib.SSL_set_session(ssl_, session);
    lib.SSL_SESSION_free(session);
  }
  return true;
}

bool TlsSession::start() {
  ssl_ = context_->make_ssl();
  return ssl_ != nullptr;
}

TlsContext::Destination TlsSession::destination(const sockaddr_storage& address) {
  TlsContext::Destination to{};
  if (address.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
    std::memcpy(to.data(), &in6.sin6_addr, sizeof in6.sin6_addr);
    std::memcpy(to.data() + 16, &in6.sin6_port, 2);
    to[18] = 6;
  } else {
    const auto& in4 = reinterpret_cast<const sockaddr_in&>(address);
    std::memcpy(to.data(), &in4.sin_addr, sizeof in4.sin_addr);
    std::memcpy(to.data() + 16, &in4.sin_port, 2);
    to[18] = 4;
  }
  return to;
}

void TlsSession::drop_input() {
  for (size_t i = first_; i < sealed_in_.size(); ++i) place_.pool.release(sealed_in_[i].slab);
  sealed_in_.clear();
  first_ = 0;
  behind_ = false;
}

TlsStep TlsSession::handshake() {
  const Library& lib = context_->library();
  const Entered entered(this, lib);
  const int result = lib.SSL_do_handshake(ssl_);
  if (result != 1) return explain(result);
  if (!dialled_ && lib.SSL_get_early_data_status(ssl_) == kEarlyDataRejected) {
    return fail(TlsFault::kEarlyData, 0, "data was sent before the handshake");
  }
  established_ = true;
  behind_ = true;  // OpenSSL may have read more than the handshake
  return TlsStep::kDone;
}

TlsStep TlsSession::open(OpenSlab& slab, Piece& out) {
  behind_ = !slab.open(kLeastRoom);
  if (behind_) return TlsStep::kNoMemory;
  const Library& lib = context_->library();
  const Entered entered(this, lib);
  const size_t room = slab.room();
  const int size = lib.SSL_read(ssl_, slab.data(), static_cast<int>(room));
  if (size <= 0) return explain(size);
  // What it took of a record may not be all of it.
  behind_ = static_cast<size_t>(size) == room;
  out = slab.take(static_cast<size_t>(size));
  return TlsStep::kDone;
}

TlsStep TlsSession::open_into(std::span<uint8_t> room, int socket, size_t& size) {
  const Library& lib = context_->library();
  const Entered entered(this, lib);
  socket_ = socket;
  const int read = lib.SSL_read(ssl_, room.data(), static_cast<int>(room.size()));
  socket_ = -1;
  size = static_cast<size_t>(std::max(read, 0));
  behind_ = size == room.size();
  return size > 0 ? TlsStep::kDone : explain(read);
}

bool TlsSession::seal() {
  // Nobody will read what waits.
  if (failed() || notified_) plain_.clear(place_.pool);
  if (failed()) return false;
  if (!established_ || notified_) return true;
  while (!plain_.empty() && place_.output.bytes() < kSealedBytes) {
    if (gather() == 0) return false;
  }
  return true;
}

/// Seals the first piece, or as many small ones as a record takes. Returns the bytes sealed.
size_t TlsSession::gather() {
  std::array<iovec, 64> pieces;
  const size_t count = plain_.gather(pieces.data(), pieces.size());
  const auto* first = static_cast<const uint8_t*>(pieces[0].iov_base);
  size_t size = std::min(pieces[0].iov_len, kSealedBytes);
  if (count == 1 || size >= kRecordBytes) {
    if (!write_plain(first, size)) return 0;
  } else {
    std::array<uint8_t, kRecordBytes> record;
    size = 0;
    for (size_t i = 0; i < count && size < kRecordBytes; ++i) {
      const size_t part = std::min(pieces[i].iov_len, kRecordBytes - size);
      std::memcpy(record.data() + size, pieces[i].iov_base, part);
      size += part;
    }
    if (!write_plain(record.data(), size)) return 0;
  }
  plain_.consume(place_.pool, size);
  return size;
}

bool TlsSession::write_plain(const uint8_t* data, size_t size) {
  const Library& lib = context_->library();
  const Entered entered(this, lib);
  // The BIO takes all or fails for good, so a write is never left half done.
  const int result = lib.SSL_write(ssl_, data, static_cast<int>(size));
  if (result == static_cast<int>(size)) return true;
  explain(result);
  if (!failed()) fail(TlsFault::kProtocol, 0, "a record could not be sealed");
  return false;
}

bool TlsSession::close_notify() {
  if (notified_ || !established_ || failed()) return !failed();
  notified_ = true;
  const Library& lib = context_->library();
  const Entered entered(this, lib);
  lib.SSL_shutdown(ssl_);
  lib.ERR_clear_error();
  return !failed();
}

bool TlsSession::resumed() const { return context_->library().SSL_session_reused(ssl_) == 1; }

bool TlsSession::peer_certificate(uint8_t* out, size_t& size) const {
  const Library& lib = context_->library();
  openssl::Certificate* certificate = lib.SSL_get1_peer_certificate(ssl_);
  if (certificate == nullptr) return false;
  const int needed = lib.i2d_X509(certificate, nullptr);
  const bool fits = needed > 0 && static_cast<size_t>(needed) <= kMaxCertificate;
  if (fits) size = static_cast<size_t>(lib.i2d_X509(certificate, &out));
  lib.X509_free(certificate);
  return fits;
}

/// What a call that did not succeed means.
TlsStep TlsSession::explain(int result) {
  const Library& lib = context_->library();
  const int error = lib.SSL_get_error(ssl_, result);
  if (failed()) return TlsStep::kFailed;
  if (error == openssl::kErrorWantRead && !cut_) return TlsStep::kHungry;
  if (error == openssl::kErrorZeroReturn) return TlsStep::kEnded;
  const unsigned long code = lib.ERR_get_error();
  const unsigned long number = code & kReasonMask;
  lib.ERR_clear_error();
  if (error == openssl::kErrorWantRead || code == 0) {
    // Frames tell whether a stream was cut; a handshake cannot end so.
    if (established_) return cut_ ? TlsStep::kHungry : TlsStep::kEnded;
    return fail(TlsFault::kCut, 0, "the peer closed the connection during the handshake");
  }
  const long verified = lib.SSL_get_verify_result(ssl_);
  if (verified != openssl::kVerifyOk && !established_) {
    return fail(TlsFault::kCertificate, static_cast<uint32_t>(verified),
                lib.X509_verify_cert_error_string(verified));
  }
  const char* words = lib.ERR_reason_error_string(code);
  if (number > kAlertOffset && number < kAlertOffset + 256) {
    return fail(TlsFault::kAlert, static_cast<uint32_t>(number - kAlertOffset), words);
  }
  return fail(TlsFault::kProtocol, static_cast<uint32_t>(number), words);
}

TlsStep TlsSession::fail(TlsFault fault, uint32_t detail, const char* words) {
  fault_ = fault;
  detail_ = detail;
  reason_.set(words);
  return TlsStep::kFailed;
}

int TlsSession::read_sealed(char* out, int size) {
  size_t left = static_cast<size_t>(size);
  size_t copied = 0;
  while (left > 0 && first_ < sealed_in_.size()) {
    Piece& piece = sealed_in_[first_];
    const size_t part = std::min(left, piece.size);
    std::memcpy(out + copied, piece.data, part);
    copied += part;
    left -= part;
    piece.data += part;
    piece.size -= part;
    if (piece.size > 0) break;
    place_.pool.release(piece.slab);
    ++first_;
  }
  if (first_ == sealed_in_.size()) {
    sealed_in_.clear();
    first_ = 0;
  }
  return static_cast<int>(copied);
}

int TlsSession::read_socket(char* out, int size) {
  if (socket_ < 0 || read_ >= kSocketBytes) return 0;
  const ssize_t size_read = recv(socket_, out, static_cast<size_t>(size), MSG_DONTWAIT);
  if (size_read == 0) end_ = 0;
  if (size_read < 0 && errno != EAGAIN && errno != EINTR) end_ = errno;
  if (size_read <= 0) return 0;
  read_ += static_cast<size_t>(size_read);
  return static_cast<int>(size_read);
}

bool TlsSession::write_sealed(const char* data, size_t size) {
  while (size > 0) {
    Piece piece;
    piece.size = std::min(size, kSlabSize);
    piece.data = place_.sealed.allocate(piece.size, piece.slab);
    if (piece.data == nullptr) {
      fail(TlsFault::kMemory, 0, "no memory for a record");
      return false;
    }
    std::memcpy(piece.data, data, piece.size);
    place_.output.push(place_.pool, piece);
    data += piece.size;
    size -= piece.size;
  }
  return true;
}

int TlsSession::on_bio_read(openssl::Bio* bio, char* out, int size) {
  TlsSession* session = active;
  if (session == nullptr) return -1;
  const Library& lib = session->context_->library();
  lib.BIO_clear_flags(bio, kBioRead | kBioRetry);
  int copied = session->read_sealed(out, size);
  if (copied == 0) copied = session->read_socket(out, size);
  if (copied > 0) return copied;
  if (session->cut_) return 0;
  lib.BIO_set_flags(bio, kBioRead | kBioRetry);
  return -1;
}

int TlsSession::on_bio_write(openssl::Bio* /*bio*/, const char* data, int size) {
  return active != nullptr && active->write_sealed(data, static_cast<size_t>(size)) ? size : -1;
}

long TlsSession::on_bio_control(openssl::Bio* /*bio*/, int command, long /*number*/,
                                void* /*pointer*/) {
  return command == kBioFlush ? 1 : 0;
}

int TlsSession::on_new_session(openssl::Ssl* /*ssl*/, openssl::Session* session) {
  if (active == nullptr || !active->dialled_) return 0;
  active->context_->keep_session(active->destination_, session);
  return 1;  // taken over
}

int TlsSession::on_ticket(openssl::Ssl* /*ssl*/, uint8_t* name, uint8_t* iv,
                          openssl::CipherContext* cipher, openssl::MacContext* mac, int seal) {
  if (active == nullptr) return -1;
  return active->context_->ticket_keys(name, iv, cipher, mac, seal == 1);
}

}  // namespace dwcp::io
