// What happens at the memory budget: who waits, and who pays when waiting does not help. See
// slab_pool.h for what each use may take.
#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "core/io/engine.h"

namespace dwcp::io {
namespace {

/// Looks of the watchdog, each half a second, that one frame may take while others wait for memory.
constexpr uint64_t kPatience = 10;

}  // namespace

/// Waits for what this turn gives back, often its own; see `revive_starved` for what follows.
void Engine::on_starved(Connection& connection) {
  if (!connection.live()) return;
  if (connection.phase == Phase::kFinishing) return discard(connection);
  starve(connection, SlabUse::kReceive);
  list(connection);
}

/// Reads on to the peer's FIN, which is all that is waited for.
void Engine::discard(Connection& connection) {
  std::array<uint8_t, 16 * 1024> unwanted;
  const size_t size = receive_now(connection, unwanted, *this);
  count_in(connection, size);
  budget_.charge(size);
}

void Engine::starve(Connection& connection, SlabUse use) {
  connection.starved_for = use;
  if (connection.starved) return;
  connection.starved = true;
  starved_.push_back(&connection);
}

/// It no longer waits for memory.
void Engine::feed(Connection& connection) {
  if (!connection.starved) return;
  connection.starved = false;
  std::erase(starved_, &connection);
}

/// Lets those go on who can. A frame needs no memory to be received into: see `pull`.
void Engine::revive_starved() {
  // No more than frames for which there is room: two of the largest fit into a slab.
  size_t frames = 2 * pool_.spare(SlabUse::kAssembly);
  std::erase_if(starved_, [&](Connection* connection) {
    const bool assembles = connection->starved_for == SlabUse::kAssembly;
    const bool fed = assembles ? frames > 0 : pool_.available(SlabUse::kReceive);
    if (!fed && (assembles || !connection->has_frames())) return false;
    connection->starved = false;
    if (fed) {
      if (assembles) --frames;
      connection->frame_since = watches_;  // what it waited is not its fault
      revived_ = true;
      backend_->receive(*connection);
    } else {
      connection->pull = true;
    }
    const bool shaking = connection->tls && !connection->tls->established();
    if (!fed || shaking || connection->has_input()) list(*connection);
    return true;
  });
}

/// Memory for sending is used up: of the peers that do not take what was sent to them, the one with
/// the most in its queue pays, not whoever asks next. Returns what it held, bytes; 0 when nobody is
/// behind.
size_t Engine::evict_fullest() {
  Connection* fullest = nullptr;
  for (const auto& connection : connections_) {
    if (!connection->live() || !connection->sending) continue;
    if (fullest == nullptr || connection->queued_bytes() > fullest->queued_bytes()) {
      fullest = connection.get();
    }
  }
  if (fullest == nullptr) return 0;
  const size_t held = std::max<size_t>(fullest->queued_bytes(), 1);
  counters_.evictions += 1;
  end(*fullest, ENOBUFS);
  return held;
}

/// Ends as many of those who read nothing as hold what is missing for `use`. Their slabs come back
/// once the kernel has let go of them.
void Engine::make_room(SlabUse use) {
  const size_t missing = pool_.excess(use) * kSlabSize;
  for (size_t freed = 0; freed < missing;) {
    const size_t held = evict_fullest();
    if (held == 0) return;
    freed += held;
  }
}

/// Bytes that wait for peers that do not take them.
size_t Engine::stuck_bytes() const {
  size_t bytes = 0;
  for (const auto& connection : connections_) {
    if (connection->live() && connection->sending) bytes += connection->queued_bytes();
  }
  return bytes;
}

/// Ends all who have been at one frame for too long and hold memory for it. How many.
size_t Engine::evict_overdue() {
  size_t evicted = 0;
  for (const auto& connection : connections_) {
    if (!connection->live() || !connection->reader.holds_memory()) continue;
    if (watches_ - connection->frame_since < kPatience) continue;
    end(*connection, ENOBUFS);
    ++evicted;
  }
  counters_.evictions += static_cast<double>(evicted);
  return evicted;
}

/// Gets memory back when somebody waits for it and, since the last look, nobody got any. What
/// JavaScript keeps is its own affair: then everybody waits.
void Engine::relieve() {
  const bool starving = std::any_of(starved_.begin(), starved_.end(), [this](const auto* each) {
    const bool waits = each->starved_for == SlabUse::kAssembly || !each->has_frames();
    return waits && !pool_.available(each->starved_for);
  });
  const bool lasting = std::exchange(was_starving_, starving) && starving;
  const bool stuck = !std::exchange(revived_, false);
  // It often passes by itself.
  if (!lasting || evict_overdue() > 0 || !stuck) return;
  // Who reads nothing may hold what others would receive into.
  if (!pool_.available(SlabUse::kAssembly)) return make_room(SlabUse::kAssembly);
  if (stuck_bytes() >= pool_.budget_slabs() / 4 * kSlabSize) make_room(SlabUse::kReceive);
}

}  // namespace dwcp::io
