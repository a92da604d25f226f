// Preloaded into every server: the sockets it listens with and dials from use the congestion
// control named in BENCH_CONGESTION, whatever the machine's default is. Accepted sockets inherit
// it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void pin(int fd) {
  const char* name = getenv("BENCH_CONGESTION");
  if (name) setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

int listen(int fd, int backlog) {
  int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "listen");
  pin(fd);
  return next(fd, backlog);
}

int connect(int fd, const struct sockaddr* address, socklen_t size) {
  int (*next)(int, const struct sockaddr*, socklen_t) =
      (int (*)(int, const struct sockaddr*, socklen_t))dlsym(RTLD_NEXT, "connect");
  pin(fd);
  return next(fd, address, size);
}
