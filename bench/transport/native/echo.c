// The plainest fast echo: level-triggered epoll, one thread, one buffer. What a server in C would
// do. Prints its port.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, SOCKETS = 65536, EVENTS = 512 };

struct rest {
  char* bytes;
  size_t size;
};

static struct rest rests[SOCKETS];
static char buffer[BUFFER_BYTES];

static void watch(int epoll, int op, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(epoll, op, fd, &event);
}

static void drop(int fd) {
  free(rests[fd].bytes);
  rests[fd] = (struct rest){0};
  close(fd);
}

static void write_rest(int epoll, int fd) {
  struct rest* rest = &rests[fd];
  const ssize_t sent = send(fd, rest->bytes, rest->size, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) drop(fd);
    return;
  }
  rest->size -= (size_t)sent;
  memmove(rest->bytes, rest->bytes + sent, rest->size);
  if (rest->size == 0) watch(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void echo(int epoll, int fd) {
  const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
  if (got <= 0) {
    if (got == 0 || errno != EAGAIN) drop(fd);
    return;
  }
  ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    drop(fd);
    return;
  }
  if (sent < 0) sent = 0;
  if (sent == got) return;
  struct rest* rest = &rests[fd];
  if (rest->bytes == NULL) rest->bytes = malloc(BUFFER_BYTES);
  rest->size = (size_t)(got - sent);
  memcpy(rest->bytes, buffer + sent, rest->size);
  watch(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT);
}

int main(void) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t address_bytes = sizeof address;
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0) return 1;
  if (listen(listener, 4096) != 0) return 1;
  getsockname(listener, (struct sockaddr*)&address, &address_bytes);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  const int epoll = epoll_create1(0);
  const int on = 1;
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
  struct epoll_event events[EVENTS];
  for (;;) {
    const int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      if (fd != listener) {
        if (events[i].events & EPOLLOUT)
          write_rest(epoll, fd);
        else
          echo(epoll, fd);
        continue;
      }
      const int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
      if (accepted < 0 || accepted >= SOCKETS) continue;
      setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(epoll, EPOLL_CTL_ADD, accepted, EPOLLIN);
    }
  }
}
