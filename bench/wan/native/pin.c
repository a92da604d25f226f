// To be preloaded: pins the congestion control of every TCP socket of a process to WAN_CONGESTION,
// and says "not allowed" to whoever asks for another, as a host does where only that one is
// allowed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*Setsockopt)(int, int, int, const void*, socklen_t);

static int next_setsockopt(int fd, int level, int option, const void* value, socklen_t size) {
  const Setsockopt next = (Setsockopt)dlsym(RTLD_NEXT, "setsockopt");
  return next(fd, level, option, value, size);
}

static void pin(int fd, int domain, int type) {
  const char* name = getenv("WAN_CONGESTION");
  if (fd < 0 || name == NULL || (domain != AF_INET && domain != AF_INET6)) return;
  if ((type & 0xf) != SOCK_STREAM) return;
  next_setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

int socket(int domain, int type, int protocol) {
  int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
  const int fd = next(domain, type, protocol);
  pin(fd, domain, type);
  return fd;
}

int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  int (*next)(int, struct sockaddr*, socklen_t*, int) =
      (int (*)(int, struct sockaddr*, socklen_t*, int))dlsym(RTLD_NEXT, "accept4");
  const int accepted = next(fd, address, size, flags);
  pin(accepted, AF_INET, SOCK_STREAM);
  return accepted;
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t size) {
  const char* name = getenv("WAN_CONGESTION");
  if (level == IPPROTO_TCP && option == TCP_CONGESTION && name != NULL &&
      (strlen(name) != strnlen(value, size) || strncmp(name, value, size) != 0)) {
    errno = EPERM;
    return -1;
  }
  return next_setsockopt(fd, level, option, value, size);
}
