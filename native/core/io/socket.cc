// See socket.h. TCP_INFO is read into the kernel's own struct (linux/tcp.h), whose length the
// kernel tells: fields of newer kernels stay zero on older ones.
#include "core/io/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace dwcp::io {
namespace {

socklen_t size_of(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

/// How often a silent peer is asked, a second apart, before it counts as gone; as libuv does. The
/// kernel's own would take eleven minutes.
constexpr int kKeepAliveProbes = 10;
constexpr int kKeepAliveIntervalS = 1;

int set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int apply(int fd, const SocketOptions& options) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.keep_alive_s);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalS);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  int error = 0;
  if (options.user_timeout_ms > 0) error = set_user_timeout(fd, options.user_timeout_ms);
  if (error == 0 && options.notsent_lowat > 0) error = set_notsent_lowat(fd, options.notsent_lowat);
  if (error == 0 && options.congestion[0] != 0)
    error = set_congestion(fd, options.congestion.data());
  return error;
}

int open_socket(const sockaddr_storage& address, bool nonblocking) {
  const int type = SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0);
  const int fd = socket(address.ss_family, type, 0);
  return fd < 0 ? -errno : fd;
}

/// Closes `fd` and returns the error.
int failed(int fd, int error) {
  close(fd);
  return error;
}

}  // namespace

bool read_address(const char* host, uint16_t port, sockaddr_storage& address) {
  address = {};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return true;
  }
  address = {};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) return false;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return true;
}

void show_address(const sockaddr_storage& address, char* out, size_t size) {
  char host[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, host,
              sizeof host);
  } else if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, host, sizeof host);
  }
  std::snprintf(out, size, "%s:%u", host, port_of(address));
}

uint16_t port_of(const sockaddr_storage& address) {
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

int open_listener(sockaddr_storage& address, const SocketOptions& options, bool nonblocking) {
  const int fd = open_socket(address, nonblocking);
  if (fd < 0) return fd;
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) {
    if (const int error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1); error < 0) return failed(fd, error);
  }
  if (const int error = apply(fd, options); error < 0) return failed(fd, error);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size_of(address)) < 0 ||
      listen(fd, options.backlog) < 0) {
    return failed(fd, -errno);
  }
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return fd;
}

int open_dialer(const sockaddr_storage& address, const SocketOptions& options, bool nonblocking) {
  const int fd = open_socket(address, nonblocking);
  if (fd < 0) return fd;
  const int error = apply(fd, options);
  return error < 0 ? failed(fd, error) : fd;
}

int probe_congestion(const char* name) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  return failed(fd, set_congestion(fd, name));
}

int set_congestion(int fd, const char* name) {
  const auto size = static_cast<socklen_t>(std::strlen(name));
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, size) < 0 ? -errno : 0;
}

int set_user_timeout(int fd, uint32_t timeout_ms) {
  return set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout_ms));
}

int set_notsent_lowat(int fd, uint32_t bytes) {
  return set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(bytes));
}

int get_congestion(int fd, char* out, size_t size) {
  auto length = static_cast<socklen_t>(size - 1);
  if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, out, &length) < 0) return -errno;
  out[length] = 0;
  return 0;
}

int sample_path(int fd, PathSample& sample) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return -errno;
  sample = {.rtt_us = static_cast<double>(info.tcpi_rtt),
            .rtt_var_us = static_cast<double>(info.tcpi_rttvar),
            .min_rtt_us = static_cast<double>(info.tcpi_min_rtt),
            .cwnd_segments = static_cast<double>(info.tcpi_snd_cwnd),
            .retransmits = static_cast<double>(info.tcpi_total_retrans),
            .delivery_rate = static_cast<double>(info.tcpi_delivery_rate),
            .notsent_bytes = static_cast<double>(info.tcpi_notsent_bytes),
            .bytes_acked = static_cast<double>(info.tcpi_bytes_acked)};
  return 0;
}

}  // namespace dwcp::io
