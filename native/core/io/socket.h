// Sockets and their options. Functions return a descriptor or 0, else a negative errno.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

namespace dwcp::io {

struct SocketOptions {
  int keep_alive_s = 15;              // silence before the peer is asked; see socket.cc
  uint32_t user_timeout_ms = 0;       // 0: the kernel's
  uint32_t notsent_lowat = 0;         // 0: the kernel's, bytes
  std::array<char, 16> congestion{};  // empty: the kernel's
  bool reuse_port = false;
  int backlog = 511;
};

/// What TCP_INFO tells of a connection.
struct PathSample {
  double rtt_us = 0;
  double rtt_var_us = 0;
  double min_rtt_us = 0;
  double cwnd_segments = 0;
  double retransmits = 0;
  double delivery_rate = 0;  // bytes per second
  double notsent_bytes = 0;
  double bytes_acked = 0;
};

/// Reads a numeric IPv4 or IPv6 address.
bool read_address(const char* host, uint16_t port, sockaddr_storage& address);
/// Writes `host:port`; `out` has room for 64.
void show_address(const sockaddr_storage& address, char* out, size_t size);
uint16_t port_of(const sockaddr_storage& address);

/// A bound, listening socket; accepted ones inherit its options. `address` becomes the bound one.
int open_listener(sockaddr_storage& address, const SocketOptions& options, bool nonblocking);
/// A socket for dialling.
int open_dialer(const sockaddr_storage& address, const SocketOptions& options, bool nonblocking);
/// Whether a socket may use a congestion control: 0 or a negative errno.
int probe_congestion(const char* name);
/// Sets one option of a live socket.
int set_congestion(int fd, const char* name);
int set_user_timeout(int fd, uint32_t timeout_ms);
int set_notsent_lowat(int fd, uint32_t bytes);
/// Names the congestion control in use; `out` has room for 16.
int get_congestion(int fd, char* out, size_t size);
int sample_path(int fd, PathSample& sample);

}  // namespace dwcp::io
