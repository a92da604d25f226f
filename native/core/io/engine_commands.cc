// What JavaScript wants: the half of the engine that carries out commands. A command for a
// connection that is gone is let go; one that names memory it may not is, too.
#include <cstring>

#include "core/io/engine.h"

namespace dwcp::io {
namespace {

/// A forwarded payload up to this size is copied behind its header: cheaper than a piece of its
/// own.
constexpr uint32_t kCopyBytes = 1024;
/// Behind a send that is under way a piece up to this size is copied to the connection's own slab:
/// left where it is, a few bytes for a peer that does not read would hold a slab of 128 KiB each.
constexpr size_t kTailBytes = 16 * 1024;

FrameHeader header_of(const Command& command) {
  return {command.length, static_cast<uint8_t>(command.what >> 8),
          static_cast<uint8_t>(command.flags), static_cast<uint16_t>(command.what >> 16),
          command.stream};
}

}  // namespace

void Engine::execute(std::span<const Command> commands) {
  kept_.resize(pool_.slabs(), 0);
  for (const Command& command : commands) run(command);
  flush();
}

void Engine::run(const Command& command) {
  const auto type = static_cast<CommandType>(command.what & 0xff);
  if (type == CommandType::kRelease) {
    if (command.slab >= kept_.size() || kept_[command.slab] == 0) return;
    --kept_[command.slab];
    pool_.release(command.slab);
    return;
  }
  if (Connection* connection = find(command.slot, command.generation)) {
    run_on(*connection, command);
  }
}

void Engine::run_on(Connection& connection, const Command& command) {
  switch (static_cast<CommandType>(command.what & 0xff)) {
    case CommandType::kFrame:
      return send_frame(connection, command);
    case CommandType::kBytes:
      return send_bytes(connection, command);
    case CommandType::kForward:
      return forward(connection, command);
    case CommandType::kRelay:
      return relay(connection, command);
    case CommandType::kPause:
      connection.paused = true;
      return backend_->receive(connection);
    case CommandType::kResume:
      if (connection.broken || connection.phase != Phase::kOpen) return;
      connection.paused = false;
      mark_left(connection, false);
      backend_->receive(connection);
      if (connection.has_input() || connection.ended) list(connection);
      return;
    case CommandType::kFinish:
      if (connection.phase == Phase::kConnecting) return end(connection, 0);
      return finish(connection);
    case CommandType::kDestroy:
      return end(connection, 0);
    case CommandType::kWantWritable:
      connection.want_writable = true;
      connection.writable_below = command.length;
      return on_sent(connection, 0, 0);
    case CommandType::kRelease:
      return;
  }
}

/// The memory a command names, or null when it is not within one slab that is in use.
uint8_t* Engine::locate(const Command& command, size_t size) {
  if (!pool_.in_use(command.slab)) return nullptr;
  const size_t start = command.address - static_cast<size_t>(command.slab) * kSlabSize;
  if (start > kSlabSize || size > kSlabSize - start) return nullptr;
  return pool_.data(command.slab) + start;
}

void Engine::send_frame(Connection& connection, const Command& command) {
  const size_t size = kHeaderSize + command.length;
  uint8_t* data = command.length <= kMaxPayload ? locate(command, size) : nullptr;
  if (data == nullptr) return end(connection, EINVAL);
  write_header(header_of(command), {data + kHeaderSize, command.length}, data, !connection.tls);
  pool_.retain(command.slab);
  queue(connection, {command.slab, data, size});
}

void Engine::send_bytes(Connection& connection, const Command& command) {
  uint8_t* data = locate(command, command.length);
  if (data == nullptr) return end(connection, EINVAL);
  pool_.retain(command.slab);
  queue(connection, {command.slab, data, command.length});
}

void Engine::forward(Connection& connection, const Command& command) {
  uint8_t* payload = nullptr;
  if (command.length > 0) {
    payload = command.length <= kMaxPayload ? locate(command, command.length) : nullptr;
    if (payload == nullptr) return end(connection, EINVAL);
  }
  const bool copied = command.length <= kCopyBytes;
  Piece head;
  head.size = kHeaderSize + (copied ? command.length : 0);
  head.data = outgoing_.allocate(head.size, head.slab);
  if (head.data == nullptr) return end(connection, ENOBUFS);
  write_header(header_of(command), {payload, command.length}, head.data, !connection.tls);
  if (copied && payload != nullptr) std::memcpy(head.data + kHeaderSize, payload, command.length);
  queue(connection, head);
  if (copied) return;
  pool_.retain(command.slab);
  queue(connection, {command.slab, payload, command.length});
}

/// Sends a frame on as it came, with the header and the checksum it was read with: nothing is
/// copied or computed, and frames that came side by side leave as one piece.
void Engine::relay(Connection& connection, const Command& command) {
  Command whole = command;
  whole.address -= static_cast<uint32_t>(kHeaderSize);
  const size_t size = kHeaderSize + command.length;
  uint8_t* frame = command.length <= kMaxBehindHeader ? locate(whole, size) : nullptr;
  if (frame == nullptr || command.length == 0 || read_header(frame) != header_of(command)) {
    return forward(connection, command);
  }
  // From plaintext to TLS the checksum must go, the other way one is needed.
  const bool checked = load_le<uint32_t>(frame + kCrcOffset) != 0;
  if (checked == (connection.tls != nullptr)) {
    return forward(connection, command);
  }
  pool_.retain(command.slab);
  queue(connection, {command.slab, frame, size});
}

void Engine::queue(Connection& connection, const Piece& piece) {
  if (connection.phase != Phase::kOpen) {
    pool_.release(piece.slab);
    return;
  }
  SendQueue& out = connection.tls ? connection.tls->plain() : connection.output;
  connection.accepted_bytes += piece.size;
  out.push(pool_, connection.sending ? moved_to_tail(connection, piece) : piece);
  touch(connection);
}

Piece Engine::moved_to_tail(Connection& connection, const Piece& piece) {
  if (piece.size == 0 || piece.size > kTailBytes) return piece;
  if (!connection.tail) connection.tail = std::make_unique<SlabArena>(pool_, SlabUse::kSend);
  Piece moved{kNoSlab, nullptr, piece.size};
  moved.data = connection.tail->allocate(piece.size, moved.slab);
  if (moved.data == nullptr) return piece;
  std::memcpy(moved.data, piece.data, piece.size);
  pool_.release(piece.slab);
  return moved;
}

void Engine::flush() {
  budget_.begin();
  size_t sent = 0;
  while (sent < touched_.size() && !budget_.spent()) {
    Connection& connection = *touched_[sent++];
    const size_t bytes = connection.queued_bytes();
    connection.touched = false;
    if (connection.live() && connection.tls) seal(connection);
    if (connection.live() && !connection.output.empty()) backend_->send(connection);
    budget_.charge(bytes);
  }
  touched_.erase(touched_.begin(), touched_.begin() + static_cast<ptrdiff_t>(sent));
  if (pool_.used() >= pool_.budget_slabs() / 16 * 15) evict_fullest();
  revive_starved();
  backend_->submit();
  publish();
}

}  // namespace dwcp::io
