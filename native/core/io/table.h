// The rows that cross between the engine and JavaScript, eight u32 each; lib/transport/engine
// reads and writes the same layout. Addresses count from the first byte of region 0.
#pragma once

#include <cstdint>

namespace dwcp::io {

enum class RowType : uint8_t {
  kOpened = 1,   // length: the listener that accepted it, 0 for a dialled one
  kPreface = 2,  // stream, length: the 8 bytes; the connection is paused
  kFrame = 3,    // kind, channel, flags, stream; payload at address
  kChunk = 4,    // bytes at address
  kBroken = 5,   // stream: the error code; kind, flags, length: of the header
  kEnded = 6,    // the peer sends nothing more
  kWritable = 7,
  kClosed = 8,   // flags: errno, 0 after an orderly close; the slot may be used again
  kSecured = 9,  // TLS stands: the peer's certificate at address; flags: 1 when resumed; paused
  kRefused = 10  // TLS failed: kind is the fault, stream its number, its words at address
};

/// What happened, for JavaScript. A row with a slab keeps it in use until the batch is settled.
struct Row {
  uint32_t slot;
  uint32_t generation;
  uint32_t what;  // type, kind << 8, channel << 16
  uint32_t flags;
  uint32_t stream;
  uint32_t address;
  uint32_t length;
  uint32_t slab;  // JavaScript writes kNoSlab to keep the slab for itself
};
static_assert(sizeof(Row) == 32);

enum class CommandType : uint8_t {
  kFrame = 1,    // payload at address + 16; room for the header is before it
  kBytes = 2,    // bytes at address
  kForward = 3,  // payload at address, of a row in hand or a slab kept
  kPause = 4,
  kResume = 5,
  kFinish = 6,  // send the rest, then FIN, then wait for the peer's
  kDestroy = 7,
  kWantWritable = 8,  // tell when at most `length` bytes are queued
  kRelease = 9,       // gives back a slab that was kept
  kRelay = 10         // kForward of bytes nobody may have changed since they were read
};

/// What JavaScript wants; the same layout as a row.
using Command = Row;

constexpr uint32_t pack_what(uint8_t type, uint8_t kind = 0, uint16_t channel = 0) {
  return type | static_cast<uint32_t>(kind) << 8 | static_cast<uint32_t>(channel) << 16;
}

/// Numbers JavaScript reads without a call.
struct Counters {
  double regions = 0;
  double slabs = 0;
  double slabs_used = 0;
  double slab_refusals = 0;
  double connections = 0;
  double accepted = 0;
  double accept_failures = 0;
  double rows = 0;
  double bytes_in = 0;
  double bytes_out = 0;
  double evictions = 0;
  double wakes = 0;
  double lost_wakes = 0;
  double tls_handshakes = 0;
  double tls_resumed = 0;
  double tls_faults = 0;
  double ticket_rotations = 0;
  double slabs_held = 0;
};

}  // namespace dwcp::io
