// One socket in the engine's table. A slot is used again only when its descriptor is closed and
// nothing of it is in the kernel any more; the generation tells its users apart.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "core/io/frame_reader.h"
#include "core/io/send_queue.h"
#include "core/io/tls_session.h"

namespace dwcp::io {

enum class Phase : uint8_t {
  kFree,
  kConnecting,
  kOpen,
  kFinishing,  // sends what is queued, then FIN, then waits for the peer's
  kEnding      // cancelled; waits for the kernel to let go
};

/// One vectored send the kernel works on; it must not move meanwhile.
struct SendOperation {
  static constexpr size_t kPieces = 64;
  msghdr message{};
  std::array<iovec, kPieces> pieces{};
};

struct Connection {
  uint32_t slot = 0;
  uint32_t generation = 0;
  int fd = -1;
  Phase phase = Phase::kFree;
  bool framed = true;
  uint32_t listener = 0;  // who accepted it; none for a dialled one

  FrameReader reader;
  std::vector<Piece> input;  // received, not yet read; `input_first` is the front
  size_t input_first = 0;
  SendQueue output;
  std::unique_ptr<TlsSession> tls;  // between the socket and everything above; null in plaintext
  std::unique_ptr<SlabArena> tail;  // what waits behind a send that is stuck is copied here
  uint64_t sent_bytes = 0;
  uint64_t accepted_bytes = 0;  // handed over to be sealed
  uint64_t received_bytes = 0;
  uint64_t writable_below = 0;  // queued bytes at which `want_writable` is answered
  uint64_t frame_since = 0;     // look at which its frame was begun, or got what it waited for

  bool paused = true;     // receives nothing further
  bool ended = false;     // the peer sent FIN
  bool left = false;      // the peer is gone, behind bytes that nobody reads
  bool fin_sent = false;  // so did we
  bool broken = false;    // its bytes are not frames; told, and read no further
  bool want_writable = false;
  bool starved = false;  // waits for memory of `starved_for`
  SlabUse starved_for = SlabUse::kReceive;
  bool pull = false;     // what comes next is read straight to where its frame lies
  bool listed = false;   // in the engine's list of connections with news
  bool touched = false;  // in the engine's list of connections to send for
  bool opened_news = false;
  bool ended_news = false;
  bool writable_news = false;
  bool closed_news = false;
  int error = 0;  // errno that ended it

  // What a backend has in the kernel.
  bool receiving = false;
  bool sending = false;
  bool stopping = false;  // a receive is being taken back
  bool bulk = false;      // one of many with much to read: each is read when it is ready
  bool watched = false;   // so it is now
  uint32_t small_reads = 0;
  uint64_t large_since = 0;  // poll in which it last received much
  uint32_t operations = 0;
  uint32_t interest = 0;
  std::unique_ptr<SendOperation> send_operation;
  std::unique_ptr<sockaddr_storage> peer;  // being dialled

  /// Whether what comes next is of a frame.
  bool has_frames() const { return framed && (!tls || tls->established()); }
  /// Whether received bytes wait to be read.
  bool has_input() const { return !input.empty() || (tls && tls->readable()); }
  /// Bytes on their way out, sealed or not.
  size_t queued_bytes() const { return output.bytes() + (tls ? tls->plain().bytes() : 0); }
  bool live() const { return phase != Phase::kFree && phase != Phase::kEnding; }
  bool lacks(SlabUse use) const { return starved && starved_for == use; }
  /// Whether it wants bytes from the kernel now.
  bool wants_input() const {
    return (phase == Phase::kOpen || phase == Phase::kFinishing) && !paused && !ended && !starved &&
           !pull;
  }
};

}  // namespace dwcp::io
