// TLS of one connection, between its socket bytes and its frames: sealed bytes go in as pieces,
// plain ones come out in slabs; plain pieces wait in a queue and leave as records in the
// connection's output, small ones of one tick together. OpenSSL reads and writes through a BIO over
// these pieces; nothing is kept in memory of its own beyond the record under way.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/io/frame_reader.h"
#include "core/io/send_queue.h"
#include "core/io/tls_context.h"

namespace dwcp::io {

/// Cuts pieces of a size known only afterwards out of slabs; begins again where the cache is warm
/// once nobody uses what was cut.
class OpenSlab {
 public:
  explicit OpenSlab(SlabPool& pool) : pool_(pool) {}
  ~OpenSlab() { close(); }
  OpenSlab(const OpenSlab&) = delete;
  OpenSlab& operator=(const OpenSlab&) = delete;

  /// Makes room for at least `size` bytes; false at the memory budget.
  bool open(size_t size);
  uint8_t* data() const { return pool_.data(slab_) + filled_; }
  size_t room() const { return kSlabSize - filled_; }
  /// The first `size` bytes of the room, with a share of their slab.
  Piece take(size_t size);
  void close();

 private:
  SlabPool& pool_;
  SlabId slab_ = kNoSlab;
  size_t filled_ = 0;
};

enum class TlsStep : uint8_t {
  kDone,      // the handshake is over, or a piece is there
  kHungry,    // needs bytes of the peer
  kNoMemory,  // call again later
  kEnded,     // the peer said that nothing more comes
  kFailed     // `failure()` says why
};

/// Kinds of failure, as JavaScript knows them (lib/transport/engine/tls-error.ts).
enum class TlsFault : uint8_t {
  kNone = 0,
  kCertificate = 1,  // the peer's is refused; `detail` is OpenSSL's number
  kAlert = 2,        // the peer refused; `detail` is its alert
  kProtocol = 3,     // what the peer sent is no TLS that is spoken here
  kCut = 4,          // the peer left in the middle
  kEarlyData = 5,    // the peer sent data before the handshake
  kMemory = 6        // no slab for bytes on their way out
};

class TlsSession {
 public:
  /// Everything of the engine a session works with; it outlives the session.
  struct Place {
    SlabPool& pool;
    SlabArena& sealed;  // records on their way out
    SendQueue& output;  // of the connection
  };

  TlsSession(Shared<TlsContext> context, const Place& place)
      : context_(std::move(context)), place_(place) {}
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  bool accept();
  bool dial(const TlsContext::Destination& to);
  /// A name for where `address` is.
  static TlsContext::Destination destination(const sockaddr_storage& address);

  /// Takes over a received piece.
  void feed(const Piece& piece) { sealed_in_.push_back(piece); }
  /// The socket ended.
  void feed_end() { cut_ = true; }
  /// Drops what was received and not read.
  void drop_input();

  TlsStep handshake();
  bool established() const { return established_; }
  bool failed() const { return fault_ != TlsFault::kNone; }
  /// Plain bytes of one record, or what is left of it.
  TlsStep open(OpenSlab& slab, Piece& out);
  /// The same into memory of the caller: their number in `size`. What was received is used up, it
  /// reads from the socket itself, unless that is negative, and no further than this record.
  TlsStep open_into(std::span<uint8_t> room, int socket, size_t& size);
  /// Bytes that it read from the socket since it was asked last.
  size_t take_read() { return std::exchange(read_, 0); }
  /// The FIN (0) or the errno that it met there, once.
  std::optional<int> take_end() { return std::exchange(end_, {}); }
  /// True when `open` may have something without further bytes.
  bool readable() const { return first_ < sealed_in_.size() || behind_; }

  /// Plain bytes that wait to be sealed; all pieces go through here.
  SendQueue& plain() { return plain_; }
  const SendQueue& plain() const { return plain_; }
  /// Seals what waits, as far as the output has room. False when it failed.
  bool seal();
  /// Says that nothing more comes, once. False when it failed.
  bool close_notify();

  /// Gives the session up for a reason found outside.
  void refuse(TlsFault fault, uint32_t detail, const char* words) { fail(fault, detail, words); }
  TlsFault fault() const { return fault_; }
  uint32_t detail() const { return detail_; }
  const char* reason() const { return reason_.text.data(); }
  bool resumed() const;
  /// How often the ticket keys of its identity changed since a session was asked last.
  uint32_t take_ticket_rotations() { return context_->take_rotations(); }
  /// The peer's certificate, DER; its size in `size`. Memory must have room for `kMaxCertificate`.
  bool peer_certificate(uint8_t* out, size_t& size) const;
  static constexpr size_t kMaxCertificate = 16 * 1024;

  // Called by OpenSSL.
  static int on_bio_read(openssl::Bio* bio, char* out, int size);
  static int on_bio_write(openssl::Bio* bio, const char* data, int size);
  static long on_bio_control(openssl::Bio* bio, int command, long number, void* pointer);
  static int on_new_session(openssl::Ssl* ssl, openssl::Session* session);
  static int on_ticket(openssl::Ssl* ssl, uint8_t* name, uint8_t* iv,
                       openssl::CipherContext* cipher, openssl::MacContext* mac, int seal);

 private:
  bool start();
  int read_sealed(char* out, int size);
  int read_socket(char* out, int size);
  bool write_sealed(const char* data, size_t size);
  TlsStep explain(int result);
  TlsStep fail(TlsFault fault, uint32_t detail, const char* words);
  bool write_plain(const uint8_t* data, size_t size);
  size_t gather();

  Shared<TlsContext> context_;
  Place place_;
  openssl::Ssl* ssl_ = nullptr;
  std::vector<Piece> sealed_in_;
  size_t first_ = 0;
  SendQueue plain_;
  TlsContext::Destination destination_{};
  int socket_ = -1;  // within `open_into`
  size_t read_ = 0;
  std::optional<int> end_;
  bool dialled_ = false;
  bool established_ = false;
  bool behind_ = false;
  bool cut_ = false;
  bool notified_ = false;
  TlsFault fault_ = TlsFault::kNone;
  uint32_t detail_ = 0;
  TlsReason reason_;
};

}  // namespace dwcp::io
