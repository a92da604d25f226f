// See namespace.h.
#include "namespace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

constexpr int kMtu = 1500;
constexpr int kQueuePackets = 10000;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

ifreq request_for(const char* device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  return request;
}

void control(int fd, unsigned long code, ifreq& request, const char* what) {
  if (ioctl(fd, code, &request) < 0) fail(what);
}

void set_address(int fd, ifreq request, unsigned long code, const char* address) {
  auto& in = reinterpret_cast<sockaddr_in&>(request.ifr_addr);
  in.sin_family = AF_INET;
  if (inet_pton(AF_INET, address, &in.sin_addr) != 1) fail("address");
  control(fd, code, request, "set address");
}

void bring_up(int fd, const char* device) {
  ifreq request = request_for(device);
  control(fd, SIOCGIFFLAGS, request, "get flags");
  request.ifr_flags |= IFF_UP | IFF_RUNNING;
  control(fd, SIOCSIFFLAGS, request, "set flags");
}

/// The buffers a long path needs; the defaults hold one stream at about 400 Mbit/s over 80 ms.
void widen_buffers() {
  const char* const files[] = {"/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem"};
  for (const char* file : files) {
    FILE* out = std::fopen(file, "w");
    if (out == nullptr || std::fputs("4096 131072 67108864", out) < 0) fail(file);
    std::fclose(out);
  }
}

int open_tun() {
  const int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) fail("/dev/net/tun");
  ifreq request = request_for("wan0");
  // No offloads: every packet is a real one, and loss is per packet.
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  control(tun, TUNSETIFF, request, "TUNSETIFF");
  return tun;
}

}  // namespace

Namespace make_namespace(const std::string& address) {
  Namespace made;
  // A thread of its own moves into the new namespace; the process stays where it is.
  std::thread([&] {
    if (unshare(CLONE_NEWNET) < 0) fail("unshare");
    made.fd = open("/proc/thread-self/ns/net", O_RDONLY);
    if (made.fd < 0) fail("/proc/thread-self/ns/net");
    made.tun = open_tun();
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bring_up(fd, "lo");
    ifreq request = request_for("wan0");
    set_address(fd, request, SIOCSIFADDR, address.c_str());
    set_address(fd, request, SIOCSIFNETMASK, "255.255.255.0");
    request.ifr_mtu = kMtu;
    control(fd, SIOCSIFMTU, request, "set MTU");
    request.ifr_qlen = kQueuePackets;
    control(fd, SIOCSIFTXQLEN, request, "set queue length");
    bring_up(fd, "wan0");
    close(fd);
    widen_buffers();
  }).join();
  return made;
}
