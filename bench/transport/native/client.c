// Load client of the transport suite, the same for every server: N connections over epoll, each
// with a fixed number of messages under way, or as many bytes one way as the socket takes. Checks
// what comes back. Prints one line of JSON.
//   client port=P wire=raw|frames|stream|zmtp mode=echo|oneway conns=N size=B depth=D
//          warm=S secs=S pid=SERVER congestion=NAME
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>

#include "flow.h"

static void read_fully(int fd, uint8_t* out, size_t size) {
  for (size_t got = 0; got < size;) {
    const ssize_t n = recv(fd, out + got, size - got, 0);
    if (n <= 0) fail("handshake");
    got += (size_t)n;
  }
}

static void shake_hands(int fd) {
  uint8_t out[GREETING_BYTES + 64], in[256];
  if (opt.wire == WIRE_RAW) return;
  if (opt.wire != WIRE_ZMTP) {
    if (send(fd, preface, PREFACE_BYTES, MSG_NOSIGNAL) != PREFACE_BYTES) fail("preface");
    return;
  }
  zmtp_greeting(out);
  const size_t size =
      GREETING_BYTES + zmtp_ready(out + GREETING_BYTES, opt.oneway ? "PUSH" : "DEALER");
  if (send(fd, out, size, MSG_NOSIGNAL) != (ssize_t)size) fail("greeting");
  read_fully(fd, in, GREETING_BYTES);
  read_fully(fd, in, 2);
  read_fully(fd, in + 2, in[1]);
}

static void dial(struct conn* c) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
  const int on = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (opt.congestion && setsockopt(c->fd, IPPROTO_TCP, TCP_CONGESTION, opt.congestion,
                                   (socklen_t)strlen(opt.congestion)) != 0)
    fail(opt.congestion);
  if (connect(c->fd, (struct sockaddr*)&to, sizeof to) != 0) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  shake_hands(c->fd);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->credit = CREDIT_BYTES;
  c->out = malloc(out_room);
  c->carry = malloc(unit_bytes + ANSWER_BYTES);
  c->since = calloc(opt.depth, sizeof *c->since);
  watch(c, EPOLL_CTL_ADD, opt.oneway);
}

static void prepare(void) {
  const size_t head = head_bytes();
  unit_bytes = head + opt.size;
  out_room = opt.depth * unit_bytes + 4 * ANSWER_BYTES;
  unit = malloc(unit_bytes);
  input = malloc(unit_bytes + ANSWER_BYTES + READ_BYTES);
  memset(unit, 'a', unit_bytes);
  if (opt.wire == WIRE_ZMTP) zmtp_head(unit, opt.size);
  if (head == HEADER_BYTES) seal_frame(unit, KIND_DATA, FLAG_END, 1, (uint32_t)opt.size);
  if (!opt.oneway) return;
  const size_t count = unit_bytes < PATTERN_BYTES ? PATTERN_BYTES / unit_bytes : 1;
  pattern_bytes = count * unit_bytes;
  pattern = malloc(pattern_bytes);
  for (size_t i = 0; i < count; i++) memcpy(pattern + i * unit_bytes, unit, unit_bytes);
}

/// The client on the last CPU, the server's main thread on the first, its other threads anywhere:
/// left alone, the kernel sometimes puts both on one, and two samples cannot be compared.
static void take_sides(void) {
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  cpu_set_t own, other;
  CPU_ZERO(&own);
  CPU_ZERO(&other);
  CPU_SET((size_t)cpus - 1, &own);
  CPU_SET(0, &other);
  if (cpus < 2) return;
  sched_setaffinity(0, sizeof own, &own);
  if (opt.pid > 0) sched_setaffinity(opt.pid, sizeof other, &other);
}

static void report(uint64_t elapsed_ns, uint64_t server_ns, uint64_t client_ns) {
  char congestion[16] = "";
  socklen_t size = sizeof congestion;
  getsockopt(conns[0].fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &size);
  if (opt.oneway) messages = bytes / unit_bytes;
  const double seconds = (double)elapsed_ns / 1e9;
  printf(
      "{\"messages\":%lu,\"messagesPerSecond\":%.0f,\"megabytesPerSecond\":%.1f,\"p50Us\":%.1f,"
      "\"p99Us\":%.1f,\"serverCpuNsPerMessage\":%.1f,\"serverCpuShare\":%.2f,"
      "\"clientCpuShare\":%.2f,\"congestion\":\"%s\"}\n",
      messages, (double)messages / seconds, (double)bytes / seconds / 1e6, quantile_us(0.5),
      quantile_us(0.99), messages ? (double)server_ns / (double)messages : 0,
      (double)server_ns / (double)elapsed_ns, (double)client_ns / (double)elapsed_ns, congestion);
}

int main(int count, char** arguments) {
  parse(count, arguments);
  take_sides();
  prepare();
  epoll_fd = epoll_create1(0);
  conns = calloc((size_t)opt.conns, sizeof *conns);
  for (int i = 0; i < opt.conns; i++) dial(&conns[i]);
  if (!opt.oneway) {
    for (int i = 0; i < opt.conns; i++) {
      conns[i].due = opt.depth;
      produce(&conns[i], now_ns());
    }
  }
  const uint64_t warm_ns = now_ns() + (uint64_t)(opt.warm * 1e9);
  const uint64_t end_ns = warm_ns + (uint64_t)(opt.secs * 1e9);
  uint64_t since_ns = 0, server_ns = 0, client_ns = 0;
  struct epoll_event events[EVENTS];
  for (;;) {
    const int ready = epoll_wait(epoll_fd, events, EVENTS, 100);
    const uint64_t at_ns = now_ns();
    if (since_ns == 0 && at_ns >= warm_ns) {
      memset(histogram, 0, sizeof histogram);
      messages = bytes = 0;
      since_ns = at_ns;
      server_ns = cpu_ns_of(opt.pid);
      client_ns = own_cpu_ns();
    }
    if (at_ns >= end_ns) break;
    for (int i = 0; i < ready; i++) {
      struct conn* c = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
      if (!(events[i].events & EPOLLOUT)) continue;
      if (opt.oneway)
        pour(c);
      else
        flush(c);
    }
  }
  report(now_ns() - since_ns, cpu_ns_of(opt.pid) - server_ns, own_cpu_ns() - client_ns);
  return 0;
}
