// The three ways the load client speaks: bytes as they are, the link frames of dwcp, and ZMTP 3.0
// (rfc.zeromq.org/spec/23) so that ZeroMQ meets the same client as everybody else.
#pragma once

#include <stdint.h>
#include <string.h>

enum wire { WIRE_RAW, WIRE_FRAMES, WIRE_STREAM, WIRE_ZMTP };

enum { HEADER_BYTES = 16, PREFACE_BYTES = 8, CRC_OFFSET = 12, GREETING_BYTES = 64 };
enum { KIND_DATA = 1, KIND_CREDIT = 2, KIND_PING = 4, KIND_PONG = 5 };
enum { FLAG_END = 1, FLAG_OPEN = 2, PRIORITY_RPC = 1 << 6 };

static const uint8_t preface[PREFACE_BYTES] = {'D', 'W', 'C', 'P', 1, 1, 0, 0};

static inline uint32_t load32(const uint8_t* p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static inline void store32(uint8_t* p, uint32_t v) { memcpy(p, &v, 4); }

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c(uint32_t crc, const uint8_t* p, size_t n) {
  uint64_t c = ~crc;
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t v;
    memcpy(&v, p, 8);
    c = __builtin_ia32_crc32di(c, v);
  }
  for (; n > 0; p++, n--) c = __builtin_ia32_crc32qi((uint32_t)c, *p);
  return ~(uint32_t)c;
}
#else
static uint32_t crc32c(uint32_t crc, const uint8_t* p, size_t n) {
  uint32_t c = ~crc;
  for (; n > 0; p++, n--) {
    c ^= *p;
    for (int i = 0; i < 8; i++) c = c >> 1 ^ (0x82f63b78u & -(c & 1));
  }
  return ~c;
}
#endif

/// Completes a frame whose payload stands behind its header.
static inline void seal_frame(uint8_t* frame, uint8_t kind, uint8_t flags, uint32_t stream,
                              uint32_t payload_bytes) {
  const uint16_t channel = stream == 0 ? 0 : 1;
  store32(frame, payload_bytes);
  frame[4] = kind;
  frame[5] = flags;
  memcpy(frame + 6, &channel, 2);
  store32(frame + 8, stream);
  store32(frame + CRC_OFFSET, 0);
  store32(frame + CRC_OFFSET, crc32c(0, frame, HEADER_BYTES + payload_bytes));
}

/// True when the checksum is right, or zero: peers in JavaScript may leave it out.
static inline int frame_is_sound(uint8_t* frame, uint32_t payload_bytes) {
  const uint32_t told = load32(frame + CRC_OFFSET);
  if (told == 0) return 1;
  store32(frame + CRC_OFFSET, 0);
  return crc32c(0, frame, HEADER_BYTES + payload_bytes) == told;
}

/// Writes the head of a ZMTP message; returns its size.
static inline size_t zmtp_head(uint8_t* out, uint64_t payload_bytes) {
  out[0] = payload_bytes > 255 ? 2 : 0;
  if (out[0] == 0) {
    out[1] = (uint8_t)payload_bytes;
    return 2;
  }
  for (int i = 0; i < 8; i++) out[1 + i] = (uint8_t)(payload_bytes >> (56 - 8 * i));
  return 9;
}

static inline void zmtp_greeting(uint8_t out[GREETING_BYTES]) {
  memset(out, 0, GREETING_BYTES);
  out[0] = 0xff;
  out[9] = 0x7f;
  out[10] = 3;
  memcpy(out + 12, "NULL", 4);
}

/// The READY command of a socket type (`DEALER`, `PUSH`); returns its size.
static inline size_t zmtp_ready(uint8_t* out, const char* type) {
  const size_t type_bytes = strlen(type);
  uint8_t* p = out + 2;
  memcpy(p, "\5READY\13Socket-Type", 18);
  p += 18;
  memset(p, 0, 3);
  p[3] = (uint8_t)type_bytes;
  memcpy(p + 4, type, type_bytes);
  p += 4 + type_bytes;
  out[0] = 4;
  out[1] = (uint8_t)(p - out - 2);
  return (size_t)(p - out);
}
