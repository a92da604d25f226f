// What happens at the memory budget: who waits, and who pays when waiting does not help. See
// slab_pool.h for what each use may take.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/io/engine.h"

namespace dwcp::io {
namespace {

/// Connections that one look ends at most.
constexpr size_t kMostEvictions = 1024;

}  // namespace

void Engine::on_starved(Connection& connection) { starve(connection, SlabUse::kReceive); }

void Engine::starve(Connection& connection, SlabUse use) {
  connection.starved_for = use;
  if (connection.starved) return;
  connection.starved = true;
  starved_.push_back(&connection);
}

void Engine::revive_starved() {
  if (starved_.empty()) return;
  if (!pool_.available(SlabUse::kReceive) && !pool_.available(SlabUse::kAssembly)) return;
  for (Connection* connection : std::exchange(starved_, {})) {
    if (!connection->live()) continue;
    if (!pool_.available(connection->starved_for)) {
      starved_.push_back(connection);
      continue;
    }
    connection->starved = false;
    backend_->receive(*connection);
    const bool shaking = connection->tls && !connection->tls->established();
    if (shaking || connection->has_input()) list(*connection);
  }
}

/// Memory is used up and nobody gives any back: the connection that has been at one frame for the
/// longest pays, or peers that begin frames and stop could hold all others up. False when nobody
/// is.
bool Engine::evict_slowest() {
  Connection* slowest = nullptr;
  for (const auto& connection : connections_) {
    if (!connection->live() || connection->reader.at_boundary()) continue;
    if (slowest == nullptr || connection->frame_since < slowest->frame_since) {
      slowest = connection.get();
    }
  }
  if (slowest == nullptr) return false;
  counters_.evictions += 1;
  end(*slowest, ENOBUFS);
  return true;
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

/// Gets memory back when somebody has waited for it since the last look. What JavaScript keeps is
/// its own affair: then everybody waits.
void Engine::relieve() {
  const bool starving = std::any_of(starved_.begin(), starved_.end(), [this](const auto* each) {
    return each->live() && !pool_.available(each->starved_for);
  });
  const bool lasting = std::exchange(was_starving_, starving) && starving;
  // Many who begin frames and stop are met by twice as many ends at each look.
  const bool flooded = lasting && pool_.is_full_of_frames();
  evictions_due_ = flooded ? std::min(2 * evictions_due_, kMostEvictions) : 1;
  if (!starving) return;
  if (pool_.available(SlabUse::kAssembly)) {
    const size_t quarter = pool_.budget_slabs() / 4 * kSlabSize;
    if (lasting && stuck_bytes() >= quarter) make_room(SlabUse::kReceive);
    return;
  }
  size_t evicted = 0;
  while (evicted < evictions_due_ && evict_slowest()) ++evicted;
  // Who reads nothing may hold what others would receive into; that often passes by itself.
  if (evicted == 0 && lasting) make_room(SlabUse::kAssembly);
}

}  // namespace dwcp::io
