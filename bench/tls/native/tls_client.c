// Load client of the tls suite, the same for every server: C over OpenSSL, mutual TLS 1.3, link
// frames. Echoes with a fixed number of messages under way, one way as fast as records can be
// made, or handshakes, each up to the server's first bytes. Prints one line of JSON.
//   tls-client port=P mode=echo|oneway|handshake|resume conns=N size=B depth=D warm=S secs=S
//              pid=SERVER cert=FILE key=FILE ca=FILE cipher=NAME
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "sample.h"
#include "wire.h"

enum mode { ECHO, ONEWAY, HANDSHAKE, RESUME };
enum { EVENTS = 512, READ_BYTES = 256 * 1024, POUR_RECORDS = 32 };

static struct {
  int port, conns, pid;
  enum mode mode;
  uint32_t depth;
  size_t size;
  double warm, secs;
  const char *cert, *key, *ca, *cipher;
} opt = {.conns = 1, .depth = 1, .size = 64, .warm = 0.3, .secs = 0.5};

struct conn {
  int fd;
  SSL* ssl;
  int up, greeted;
  uint32_t due, sent, received;
  uint8_t* out;
  size_t out_at, out_bytes, shipped;
  uint8_t* carry;
  size_t carry_bytes;
  uint64_t since_ns;
  uint64_t* since;
};

static struct conn* conns;
static SSL_CTX* context;
static SSL_SESSION* ticket;
static int epoll_fd;
static uint64_t messages, bytes, resumed;
static uint8_t *unit, *pattern, *input;
static size_t unit_bytes, pattern_bytes;

__attribute__((noreturn)) static void fail(const char* what) {
  fprintf(stderr, "tls-client: %s: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(1);
}

static void parse(int count, char** words) {
  static const char* const modes[] = {"echo", "oneway", "handshake", "resume"};
  for (int i = 1; i < count; i++) {
    char* value = strchr(words[i], '=');
    if (value == NULL) fail(words[i]);
    *value++ = 0;
    const char* name = words[i];
    if (!strcmp(name, "port")) opt.port = atoi(value);
    if (!strcmp(name, "conns")) opt.conns = atoi(value);
    if (!strcmp(name, "pid")) opt.pid = atoi(value);
    if (!strcmp(name, "size")) opt.size = (size_t)atol(value);
    if (!strcmp(name, "depth")) opt.depth = (uint32_t)atoi(value);
    if (!strcmp(name, "warm")) opt.warm = atof(value);
    if (!strcmp(name, "secs")) opt.secs = atof(value);
    if (!strcmp(name, "cert")) opt.cert = value;
    if (!strcmp(name, "key")) opt.key = value;
    if (!strcmp(name, "ca")) opt.ca = value;
    if (!strcmp(name, "cipher")) opt.cipher = value;
    for (int m = 0; m < 4 && !strcmp(name, "mode"); m++) {
      if (!strcmp(value, modes[m])) opt.mode = (enum mode)m;
    }
  }
}

static int keep_ticket(SSL* ssl, SSL_SESSION* session) {
  (void)ssl;
  if (opt.mode != RESUME) return 0;
  if (ticket) SSL_SESSION_free(ticket);
  ticket = session;
  return 1;
}

static void make_context(void) {
  context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  if (SSL_CTX_set_ciphersuites(context, opt.cipher) != 1) fail("cipher");
  if (SSL_CTX_use_certificate_file(context, opt.cert, SSL_FILETYPE_PEM) != 1) fail("cert");
  if (SSL_CTX_use_PrivateKey_file(context, opt.key, SSL_FILETYPE_PEM) != 1) fail("key");
  if (SSL_CTX_load_verify_locations(context, opt.ca, NULL) != 1) fail("ca");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_ticket);
  SSL_CTX_set_read_ahead(context, 1);
}

/// A frame as it stands under TLS: without a checksum.
static void head(uint8_t* frame, uint32_t size, uint32_t number) {
  memset(frame, 0, HEADER_BYTES);
  store32(frame, size);
  frame[4] = KIND_DATA;
  frame[5] = (uint8_t)(PRIORITY_RPC | FLAG_END | (number & 3) << 3);
  store32(frame + 8, 1);
}

static void prepare(void) {
  unit_bytes = HEADER_BYTES + opt.size;
  unit = malloc(unit_bytes);
  memset(unit, 'a', unit_bytes);
  head(unit, (uint32_t)opt.size, 0);
  input = malloc(unit_bytes + READ_BYTES);
  const size_t count = READ_BYTES / unit_bytes + 1;
  pattern_bytes = count * unit_bytes;
  pattern = malloc(pattern_bytes);
  for (size_t i = 0; i < count; i++) memcpy(pattern + i * unit_bytes, unit, unit_bytes);
}

static void dial(struct conn* c) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
  const int on = 1;
  const struct linger hard = {.l_onoff = 1};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->fd, (struct sockaddr*)&to, sizeof to) != 0) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Thousands of handshakes must not use up the ports.
  if (opt.mode >= HANDSHAKE) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->ssl = SSL_new(context);
  BIO* in = BIO_new_socket(c->fd, BIO_NOCLOSE);
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(c->ssl, in, out);
  c->shipped = 0;
  if (opt.mode == RESUME && ticket) SSL_set_session(c->ssl, ticket);
  SSL_set_connect_state(c->ssl);
  c->up = c->greeted = 0;
  c->carry_bytes = 0;
  c->since_ns = now_ns();
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  // One way there is always something to write; otherwise edges are enough.
  if (opt.mode != ONEWAY) event.events |= EPOLLET;
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("epoll_ctl");
}

/// Sends records that are ready, many in one call: the client must not be what limits the server.
/// True when all went.
static int ship(struct conn* c) {
  char* data;
  for (;;) {
    const long ready = BIO_get_mem_data(SSL_get_wbio(c->ssl), &data) - (long)c->shipped;
    if (ready == 0) break;
    const ssize_t sent = send(c->fd, data + c->shipped, (size_t)ready, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) fail("send");
      return 0;
    }
    c->shipped += (size_t)sent;
  }
  (void)BIO_reset(SSL_get_wbio(c->ssl));
  c->shipped = 0;
  return 1;
}

static int blocked(SSL* ssl, int result) {
  const int error = SSL_get_error(ssl, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 1;
  fail("TLS");
}

static void flush(struct conn* c) {
  if (!ship(c)) return;
  while (c->out_bytes > 0) {
    const int sent = SSL_write(c->ssl, c->out + c->out_at, (int)c->out_bytes);
    if (sent <= 0 && blocked(c->ssl, sent)) return;
    c->out_at += (size_t)sent;
    c->out_bytes -= (size_t)sent;
  }
  c->out_at = 0;
  ship(c);
}

static void produce(struct conn* c, uint64_t at_ns) {
  for (; c->due > 0; c->due--) {
    if (c->out_at + c->out_bytes + unit_bytes > opt.depth * unit_bytes) {
      memmove(c->out, c->out + c->out_at, c->out_bytes);
      c->out_at = 0;
    }
    uint8_t* frame = c->out + c->out_at + c->out_bytes;
    memcpy(frame, unit, unit_bytes);
    head(frame, (uint32_t)opt.size, c->sent);
    store32(frame + HEADER_BYTES, c->sent);
    c->out_bytes += unit_bytes;
    c->since[c->sent++ % opt.depth] = at_ns;
  }
  flush(c);
}

static void pour(struct conn* c) {
  if (!ship(c)) return;
  // A record at a time; then time is looked at again.
  for (int i = 0; i < POUR_RECORDS; i++) {
    const size_t left = pattern_bytes - c->out_at;
    const int sent = SSL_write(c->ssl, pattern + c->out_at, (int)left);
    if (sent <= 0 && blocked(c->ssl, sent)) return;
    c->out_at = (c->out_at + (size_t)sent) % pattern_bytes;
    bytes += (uint64_t)sent;
  }
  ship(c);
}

static size_t take(struct conn* c, const uint8_t* p, size_t left, uint64_t at_ns) {
  if (!c->greeted) {
    if (left < PREFACE_BYTES) return 0;
    if (memcmp(p, preface, 4) != 0) fail("no dwcp preface");
    c->greeted = 1;
    return PREFACE_BYTES;
  }
  if (left < HEADER_BYTES || left < HEADER_BYTES + load32(p)) return 0;
  if (load32(p) != opt.size) fail("an answer of another size");
  if (load32(p + 12) != 0) fail("a checksum under TLS");
  if (load32(p + HEADER_BYTES) != c->received) fail("an answer out of order");
  record(at_ns - c->since[c->received++ % opt.depth]);
  messages++;
  c->due++;
  return unit_bytes;
}

static void hang_up(struct conn* c, uint64_t at_ns) {
  record(at_ns - c->since_ns);
  messages++;
  resumed += (uint64_t)SSL_session_reused(c->ssl);
  SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(c->ssl);
  close(c->fd);
  dial(c);
}

static void receive(struct conn* c) {
  for (;;) {
    uint8_t* start = input;
    if (c->carry_bytes > 0) memcpy(start, c->carry, c->carry_bytes);
    const int got = SSL_read(c->ssl, start + c->carry_bytes, READ_BYTES);
    if (got <= 0 && blocked(c->ssl, got)) break;
    const uint64_t at_ns = now_ns();
    if (opt.mode != ONEWAY) bytes += (uint64_t)got;
    size_t left = c->carry_bytes + (size_t)got, taken;
    while (left > 0 && (taken = take(c, start, left, at_ns)) > 0) start += taken, left -= taken;
    memcpy(c->carry, start, left);
    c->carry_bytes = left;
    if (c->greeted && opt.mode >= HANDSHAKE) return hang_up(c, at_ns);
  }
  if (opt.mode == ECHO) produce(c, now_ns());
}

static void greet(struct conn* c) {
  const int result = SSL_do_handshake(c->ssl);
  ship(c);
  if (result != 1) {
    blocked(c->ssl, result);
    return;
  }
  c->up = 1;
  if (SSL_write(c->ssl, preface, PREFACE_BYTES) != PREFACE_BYTES) fail("preface");
  ship(c);
  c->due = opt.depth;
}

static void turn(struct conn* c, uint32_t events) {
  if (!c->up) greet(c);
  if (!c->up) return;
  if (opt.mode == ONEWAY) {
    if (events & EPOLLIN) receive(c);
    pour(c);
    return;
  }
  if (opt.mode == ECHO && (events & EPOLLOUT)) flush(c);
  receive(c);
}

/// The client on the last CPU, the server's main thread on the first.
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
  if (opt.mode == ONEWAY) messages = bytes / unit_bytes;
  const double seconds = (double)elapsed_ns / 1e9;
  printf(
      "{\"messages\":%lu,\"messagesPerSecond\":%.0f,\"megabytesPerSecond\":%.1f,\"p50Us\":%.1f,"
      "\"p99Us\":%.1f,\"serverCpuNsPerMessage\":%.1f,\"serverCpuShare\":%.2f,"
      "\"clientCpuShare\":%.2f,\"resumed\":%lu,\"cipher\":\"%s\"}\n",
      messages, (double)messages / seconds, (double)bytes / seconds / 1e6, quantile_us(0.5),
      quantile_us(0.99), messages ? (double)server_ns / (double)messages : 0,
      (double)server_ns / (double)elapsed_ns, (double)client_ns / (double)elapsed_ns, resumed,
      opt.cipher);
}

int main(int count, char** words) {
  parse(count, words);
  take_sides();
  make_context();
  prepare();
  epoll_fd = epoll_create1(0);
  conns = calloc((size_t)opt.conns, sizeof *conns);
  for (int i = 0; i < opt.conns; i++) {
    conns[i].out = malloc(opt.depth * unit_bytes);
    conns[i].carry = malloc(unit_bytes + PREFACE_BYTES + READ_BYTES);
    conns[i].since = calloc(opt.depth, sizeof *conns[i].since);
    dial(&conns[i]);
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
      messages = bytes = resumed = 0;
      since_ns = at_ns;
      server_ns = cpu_ns_of(opt.pid);
      client_ns = own_cpu_ns();
    }
    if (at_ns >= end_ns) break;
    for (int i = 0; i < ready; i++) turn(events[i].data.ptr, events[i].events);
  }
  report(now_ns() - since_ns, cpu_ns_of(opt.pid) - server_ns, own_cpu_ns() - client_ns);
  return 0;
}
