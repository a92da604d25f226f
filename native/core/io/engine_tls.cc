// Secured connections: the half of the engine between sealed bytes and frames. Handshakes need
// nobody's help; their end is one row, after which the connection waits until JavaScript has seen
// whose certificate it is.
#include <algorithm>
#include <cstring>

#include "core/io/engine.h"
#include "core/io/row_writer.h"

namespace dwcp::io {

uint32_t Engine::add_tls(Shared<TlsContext> context) {
  auto free = std::find_if(tls_.begin(), tls_.end(), [](const auto& each) { return !each; });
  if (free == tls_.end()) free = tls_.insert(free, Shared<TlsContext>());
  *free = std::move(context);
  return static_cast<uint32_t>(free - tls_.begin() + 1);
}

void Engine::use_tls(uint32_t listener, uint32_t tls) {
  if (listener == 0 || listener > listeners_.size() || !listeners_[listener - 1]) return;
  listeners_[listener - 1]->tls = tls;
}

void Engine::drop_tls(uint32_t tls) {
  if (tls > 0 && tls <= tls_.size()) tls_[tls - 1].reset();
}

/// Puts TLS on a fresh connection, as the dialer of `to` or, without one, as the acceptor.
bool Engine::secure(Connection& connection, uint32_t tls, const sockaddr_storage* to) {
  if (tls == 0 || tls > tls_.size() || !tls_[tls - 1]) return false;
  const TlsSession::Place place{pool_, sealed_, connection.output};
  connection.tls = std::make_unique<TlsSession>(tls_[tls - 1], place);
  connection.reader.expect_no_checksum();
  connection.paused = false;
  return to == nullptr ? connection.tls->accept()
                       : connection.tls->dial(TlsSession::destination(*to));
}

/// The handshake's next step, or plain bytes into `input`. False when rows ran out.
bool Engine::tell_tls(Connection& connection, RowWriter& rows) {
  TlsSession& tls = *connection.tls;
  if (connection.phase != Phase::kOpen || connection.broken) return true;
  if (!tls.established()) {
    if (rows.full()) return false;
    if (connection.lacks(SlabUse::kAssembly)) return true;
    // Its end hands over a certificate; without room for one it waits, as received bytes do.
    if (!pool_.available(SlabUse::kAssembly)) {
      starve(connection, SlabUse::kAssembly);
      return true;
    }
    if (connection.ended) tls.feed_end();
    const TlsStep step = tls.handshake();
    budget_.charge(TickBudget::kLook);
    // Also an alert that tells the peer why.
    if (!connection.output.empty()) touch(connection);
    if (step == TlsStep::kDone) return tell_secured(connection, rows);
    if (step != TlsStep::kHungry) tell_refused(connection, rows);
  } else if (!connection.paused && !connection.pull && !connection.lacks(SlabUse::kAssembly) &&
             tls.readable()) {
    open_sealed(connection);
  }
  return true;
}

/// Hands over who the peer says it is, and waits.
bool Engine::tell_secured(Connection& connection, RowWriter& rows) {
  TlsSession& tls = *connection.tls;
  std::array<uint8_t, TlsSession::kMaxCertificate> der;
  size_t size = 0;
  connection.paused = true;
  backend_->receive(connection);
  Piece copy;
  if (!tls.peer_certificate(der.data(), size)) {
    tls.refuse(TlsFault::kCertificate, 0, "the peer's certificate is missing or too large");
  } else if ((copy.data = assembly_.allocate(size, copy.slab)) == nullptr) {
    tls.refuse(TlsFault::kMemory, 0, "no memory for the peer's certificate");
  }
  if (tls.failed()) {
    tell_refused(connection, rows);
    return true;
  }
  std::memcpy(copy.data, der.data(), size);
  counters_.tls_handshakes += 1;
  counters_.ticket_rotations += tls.take_ticket_rotations();
  if (tls.resumed()) counters_.tls_resumed += 1;
  Row& row = rows.add(connection, RowType::kSecured, copy.slab);
  row.flags = tls.resumed() ? 1 : 0;
  row.address = pool_.address(copy.slab, copy.data);
  row.length = static_cast<uint32_t>(size);
  return true;
}

/// A fault after the handshake, once what came before it was told. False when rows ran out.
bool Engine::tell_fault(Connection& connection, RowWriter& rows) {
  if (!connection.tls->failed() || connection.broken || !connection.input.empty()) return true;
  if (rows.full()) return false;
  tell_refused(connection, rows);
  return true;
}

void Engine::tell_refused(Connection& connection, RowWriter& rows) {
  const TlsSession& tls = *connection.tls;
  counters_.tls_faults += 1;
  connection.broken = true;
  connection.paused = true;
  connection.reader.reset(pool_);
  backend_->receive(connection);
  if (!connection.output.empty()) touch(connection);
  const size_t size = std::strlen(tls.reason());
  Piece words;
  if (size > 0) words.data = assembly_.allocate(size, words.slab);
  Row& row = rows.add(connection, RowType::kRefused, words.slab);
  row.what = pack_what(static_cast<uint8_t>(RowType::kRefused), static_cast<uint8_t>(tls.fault()));
  row.stream = tls.detail();
  if (words.data == nullptr) return;
  std::memcpy(words.data, tls.reason(), size);
  row.address = pool_.address(words.slab, words.data);
  row.length = static_cast<uint32_t>(size);
}

/// Opens all that was received; records that follow each other lie side by side.
void Engine::open_sealed(Connection& connection) {
  TlsSession& tls = *connection.tls;
  auto& input = connection.input;
  Piece piece;
  for (;;) {
    const TlsStep step = tls.open(opened_, piece);
    switch (step) {
      case TlsStep::kDone:
        budget_.charge(piece.size);
        break;
      case TlsStep::kHungry:
        return;
      case TlsStep::kNoMemory:
        on_starved(connection);
        return backend_->receive(connection);
      case TlsStep::kEnded:
      case TlsStep::kFailed:
        return end_opening(connection, step);
    }
    if (input.size() > connection.input_first) {
      Piece& last = input.back();
      if (last.slab == piece.slab && last.data + last.size == piece.data) {
        last.size += piece.size;
        pool_.release(piece.slab);
        continue;
      }
    }
    input.push_back(piece);
  }
}

/// The peer said that nothing more comes, or what came was no TLS.
void Engine::end_opening(Connection& connection, TlsStep step) {
  if (step == TlsStep::kEnded) {
    connection.ended_news |= !connection.ended;
    connection.ended = true;
  }
  connection.tls->drop_input();
  backend_->receive(connection);
}

/// Opens what was received, or is in the socket, into `into`. Returns the bytes.
size_t Engine::open_into(Connection& connection, std::span<uint8_t> into, int socket) {
  size_t size = 0;
  const TlsStep step = connection.tls->open_into(into, socket, size);
  count_in(connection, connection.tls->take_read());
  if (step == TlsStep::kDone) return size;
  if (step != TlsStep::kHungry) {
    end_opening(connection, step);
  } else if (const auto error = connection.tls->take_end()) {
    on_end(connection, *error);
  }
  return 0;
}

/// Seals what may leave, and counts what the kernel took of it.
void Engine::seal(Connection& connection) {
  TlsSession& tls = *connection.tls;
  // To a peer that takes nothing bytes wait in its own tail: records share their slabs with those
  // of others, and a few in each would hold them all.
  const bool waits = connection.sending && !tls.failed();
  if (!waits && !tls.seal() && !connection.broken) list(connection);
  const uint64_t queued = std::min<uint64_t>(connection.queued_bytes(), connection.accepted_bytes);
  const auto sent = static_cast<double>(connection.accepted_bytes - queued);
  sent_[connection.slot] = std::max(sent_[connection.slot], sent);
}

}  // namespace dwcp::io
