// See tls_probe.h.
#include "core/io/tls_probe.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/io/tls_session.h"

namespace dwcp::io {
namespace {

constexpr int kRounds = 8;

class OneRegion final : public RegionSource {
 public:
  uint8_t* add_region() override {
    if (!memory_) memory_ = std::make_unique<uint8_t[]>(kRegionSize);
    return memory_.get();
  }

 private:
  std::unique_ptr<uint8_t[]> memory_;
};

struct End {
  End(Shared<TlsContext> context, SlabPool& pool)
      : arena(pool, SlabUse::kSend), tls(std::move(context), {pool, arena, output}), pool_(pool) {}
  ~End() { output.clear(pool_); }

  /// Moves what was sealed here to the other end.
  void pass(End& other) {
    iovec piece{};
    while (output.gather(&piece, 1) == 1) {
      const size_t size = std::min(piece.iov_len, kSlabSize);
      Piece copy{kNoSlab, nullptr, size};
      copy.data = other.arena.allocate(size, copy.slab);
      if (copy.data == nullptr) return output.clear(pool_);
      std::memcpy(copy.data, piece.iov_base, size);
      other.tls.feed(copy);
      output.consume(pool_, size);
    }
  }

  SendQueue output;
  SlabArena arena;
  TlsSession tls;

 private:
  SlabPool& pool_;
};

/// True when the other end read what this one wrote.
bool say(End& from, End& to, SlabPool& pool, OpenSlab& slab) {
  constexpr char kWord[] = "dwcp";
  Piece word{kNoSlab, nullptr, sizeof kWord};
  word.data = from.arena.allocate(word.size, word.slab);
  if (word.data == nullptr) return false;
  std::memcpy(word.data, kWord, sizeof kWord);
  from.tls.plain().push(pool, word);
  if (!from.tls.seal()) return false;
  from.pass(to);
  Piece heard;
  if (to.tls.open(slab, heard) != TlsStep::kDone) return false;
  const bool same = heard.size == sizeof kWord && std::memcmp(heard.data, kWord, heard.size) == 0;
  pool.release(heard.slab);
  return same;
}

bool meet(const Shared<TlsContext>& context, SlabPool& pool, bool resumed, TlsReason& reason) {
  OpenSlab slab(pool);
  End dialer(context, pool);
  End acceptor(context, pool);
  if (!dialer.tls.dial({}) || !acceptor.tls.accept()) {
    reason.set("OpenSSL cannot begin a session");
    return false;
  }
  for (int round = 0; round < kRounds && !acceptor.tls.established(); ++round) {
    for (End* end : {&dialer, &acceptor}) {
      if (!end->tls.established()) end->tls.handshake();
      if (end->tls.failed()) {
        reason.set(end->tls.reason());
        return false;
      }
      end->pass(end == &dialer ? acceptor : dialer);
    }
  }
  if (!acceptor.tls.established() || !dialer.tls.established()) {
    reason.set("the handshake does not end");
  } else if (!say(acceptor, dialer, pool, slab) || !say(dialer, acceptor, pool, slab)) {
    reason.set("a record does not arrive as it was sent");
  } else if (dialer.tls.resumed() != resumed) {
    reason.set(resumed ? "a session is not resumed" : "a session is resumed that nobody had");
  } else {
    return true;
  }
  return false;
}

}  // namespace

bool probe_tls(const openssl::Library& library, const TlsIdentity& identity, TlsReason& reason) {
  OneRegion memory;
  SlabPool pool(memory, kRegionSize);
  auto context = Shared<TlsContext>::make();
  return context->start(library, identity, reason) && meet(context, pool, false, reason) &&
         meet(context, pool, true, reason);
}

}  // namespace dwcp::io
