// The connections of the load client: messages out, answers in and checked.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "options.h"
#include "sample.h"

enum { READ_BYTES = 256 * 1024, EVENTS = 512, GRANT_BYTES = 64 * 1024, CREDIT_BYTES = 256 * 1024 };
enum { ANSWER_BYTES = 4096, ZMTP_HEAD_BYTES = 9, PATTERN_BYTES = 64 * 1024, POUR_PIECES = 32 };

struct conn {
  int fd;
  int writes;         // waits for EPOLLOUT
  int greeted;        // the peer's preface is behind us
  uint32_t due;       // messages to send
  uint32_t sent;      // number of the next message
  uint32_t received;  // number of the next answer
  uint64_t credit;    // payload bytes the peer lets us send on our stream
  uint32_t owed;      // payload bytes to give credit for
  uint8_t* out;       // bytes not taken by the kernel yet
  size_t out_at, out_bytes;
  uint8_t* carry;  // an answer begun and not finished
  size_t carry_bytes;
  size_t position;  // raw: place in the answer that is arriving
  uint64_t* since;  // by number modulo depth: when sent
};

static struct conn* conns;
static size_t out_room, unit_bytes;
static uint8_t* unit;     // one message as it stands on the wire
static uint8_t* pattern;  // whole ones, for one way
static size_t pattern_bytes;
static uint8_t* input;  // room for a carried message before what is read
static int epoll_fd;
static uint64_t messages, bytes;

static size_t head_bytes(void) {
  if (opt.wire == WIRE_RAW) return 0;
  if (opt.wire == WIRE_ZMTP) return opt.size > 255 ? ZMTP_HEAD_BYTES : 2;
  return HEADER_BYTES;
}

static void watch(struct conn* c, int op, int writes) {
  struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(epoll_fd, op, c->fd, &event) != 0) fail("epoll_ctl");
  c->writes = writes;
}

static void flush(struct conn* c) {
  while (c->out_bytes > 0) {
    const ssize_t sent = send(c->fd, c->out + c->out_at, c->out_bytes, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) fail("send");
      if (!c->writes) watch(c, EPOLL_CTL_MOD, 1);
      return;
    }
    c->out_at += (size_t)sent;
    c->out_bytes -= (size_t)sent;
  }
  c->out_at = 0;
  if (c->writes) watch(c, EPOLL_CTL_MOD, 0);
}

/// Room for `size` more bytes to send.
static uint8_t* append(struct conn* c, size_t size) {
  if (c->out_at + c->out_bytes + size > out_room) {
    memmove(c->out, c->out + c->out_at, c->out_bytes);
    c->out_at = 0;
  }
  if (c->out_bytes + size > out_room) fail("more to send than ever was asked for");
  uint8_t* place = c->out + c->out_at + c->out_bytes;
  c->out_bytes += size;
  return place;
}

static void append_answer(struct conn* c, uint8_t kind, uint32_t stream, const void* payload,
                          uint32_t size) {
  uint8_t* frame = append(c, HEADER_BYTES + size);
  memcpy(frame + HEADER_BYTES, payload, size);
  seal_frame(frame, kind, 0, stream, size);
}

/// Sends what is due, each message with its number in front.
static void produce(struct conn* c, uint64_t at_ns) {
  const size_t head = head_bytes();
  for (; c->due > 0; c->due--) {
    if (opt.wire == WIRE_STREAM && c->credit < opt.size) break;
    c->credit -= opt.size;
    uint8_t* message = append(c, unit_bytes);
    memcpy(message, unit, unit_bytes);
    if (opt.size >= 4) store32(message + head, c->sent);
    if (opt.wire == WIRE_FRAMES || opt.wire == WIRE_STREAM) {
      const uint8_t flags =
          (uint8_t)(PRIORITY_RPC | FLAG_END | (c->sent & 3) << 3 | (c->sent == 0 ? FLAG_OPEN : 0));
      seal_frame(message, KIND_DATA, flags, 1, (uint32_t)opt.size);
    }
    c->since[c->sent++ % opt.depth] = at_ns;
  }
  flush(c);
}

static void answered(struct conn* c, uint64_t at_ns) {
  record(at_ns - c->since[c->received++ % opt.depth]);
  messages++;
  c->due++;
}

static void check_number(const struct conn* c, const uint8_t* payload) {
  if (opt.size < 4 || load32(payload) == c->received) return;
  fprintf(stderr, "client: answer %u came as %u\n", c->received, load32(payload));
  exit(1);
}

static void take_frame(struct conn* c, uint8_t* frame, uint32_t size, uint64_t at_ns) {
  const uint8_t* payload = frame + HEADER_BYTES;
  if (!frame_is_sound(frame, size)) fail("a frame with a wrong checksum");
  switch (frame[4]) {
    case KIND_DATA:
      if (size != opt.size) fail("an answer of another size");
      check_number(c, payload);
      c->owed += size;
      answered(c, at_ns);
      break;
    case KIND_CREDIT:
      c->credit += load32(payload);
      break;
    case KIND_PING:
      append_answer(c, KIND_PONG, 0, payload, size);
      break;
    default:
      fail("an unexpected kind of frame");
  }
  if (opt.wire == WIRE_STREAM && c->owed >= GRANT_BYTES) {
    append_answer(c, KIND_CREDIT, 1, &c->owed, 4);
    c->owed = 0;
  }
}

/// Takes one whole unit from `p`; returns its size, 0 when more bytes are needed.
static size_t take(struct conn* c, uint8_t* p, size_t left, uint64_t at_ns) {
  if (opt.wire == WIRE_ZMTP) {
    if (left < 2) return 0;
    const size_t head = (p[0] & 2) ? ZMTP_HEAD_BYTES : 2;
    if (left < head) return 0;
    uint64_t size = 0;
    for (size_t i = 1; i < head; i++) size = size << 8 | p[i];
    if (left < head + size) return 0;
    if (size != opt.size) fail("a ZeroMQ message of another size");
    check_number(c, p + head);
    answered(c, at_ns);
    return head + size;
  }
  if (!c->greeted) {
    if (left < PREFACE_BYTES) return 0;
    if (memcmp(p, preface, 4) != 0) fail("no dwcp preface");
    c->greeted = 1;
    return PREFACE_BYTES;
  }
  if (left < HEADER_BYTES || left < HEADER_BYTES + load32(p)) return 0;
  const uint32_t size = load32(p);
  take_frame(c, p, size, at_ns);
  return HEADER_BYTES + size;
}

static void take_raw(struct conn* c, const uint8_t* p, size_t left, uint64_t at_ns) {
  while (left > 0) {
    if (c->position == 0 && left >= 4) check_number(c, p);
    const size_t part = left < opt.size - c->position ? left : opt.size - c->position;
    c->position += part;
    p += part;
    left -= part;
    if (c->position < opt.size) return;
    c->position = 0;
    answered(c, at_ns);
  }
}

static void receive(struct conn* c) {
  uint8_t* start = input;
  if (c->carry_bytes > 0) memcpy(start, c->carry, c->carry_bytes);
  const ssize_t got = recv(c->fd, start + c->carry_bytes, READ_BYTES, 0);
  if (got == 0) fail("the server closed a connection");
  if (got < 0) {
    if (errno == EAGAIN) return;
    fail("recv");
  }
  const uint64_t at_ns = now_ns();
  bytes += (uint64_t)got;
  if (opt.wire == WIRE_RAW) {
    take_raw(c, start, (size_t)got, at_ns);
  } else {
    size_t left = c->carry_bytes + (size_t)got, taken;
    while (left > 0 && (taken = take(c, start, left, at_ns)) > 0) start += taken, left -= taken;
    memcpy(c->carry, start, left);
    c->carry_bytes = left;
  }
  if (!opt.oneway) produce(c, at_ns);
}

/// As much as the socket takes, at most `POUR_PIECES` times the pattern: many bytes for one call,
/// from few that stay in the cache, so that the client is not what limits the server.
static void pour(struct conn* c) {
  // `position` is the place in the message that goes on here; the pattern repeats it.
  struct iovec pieces[POUR_PIECES];
  for (size_t i = 0; i < POUR_PIECES; i++) pieces[i] = (struct iovec){pattern, pattern_bytes};
  pieces[0] = (struct iovec){pattern + c->position, pattern_bytes - c->position};
  const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = POUR_PIECES};
  const ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) fail("send");
    return;
  }
  bytes += (uint64_t)sent;
  c->position = (c->position + (size_t)sent) % unit_bytes;
}
