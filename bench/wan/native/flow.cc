// flow receive | flow send HOST PORT SECONDS CONGESTION: one tuned socket in plain C++. The
// receiver prints the port it listens on, then, when the sender is gone, what arrived in each tenth
// of a second.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

double now_s() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

sockaddr_in address_of(const char* host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

std::string congestion_of(int fd) {
  char name[16] = "";
  socklen_t size = sizeof name - 1;
  getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size);
  return name;
}

int receive() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = address_of("0.0.0.0", 0);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) < 0) return 1;
  listen(listener, 1);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("{\"port\":%d}\n", ntohs(address.sin_port));
  std::fflush(stdout);
  const int fd = accept(listener, nullptr, nullptr);
  std::vector<char> bytes(1 << 18);
  std::vector<uint64_t> tenths;
  double first = 0;
  for (;;) {
    const ssize_t taken = recv(fd, bytes.data(), bytes.size(), 0);
    if (taken <= 0) break;
    if (first == 0) first = now_s();
    const auto tenth = static_cast<size_t>((now_s() - first) * 10);
    if (tenths.size() <= tenth) tenths.resize(tenth + 1);
    tenths[tenth] += static_cast<uint64_t>(taken);
  }
  std::printf("{\"tenths\":[");
  for (size_t i = 0; i < tenths.size(); ++i) std::printf("%s%lu", i == 0 ? "" : ",", tenths[i]);
  std::printf("]}\n");
  return 0;
}

int send(char** words) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const char* congestion = words[3];
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
                 static_cast<socklen_t>(std::strlen(congestion))) < 0) {
    std::perror(congestion);
    return 1;
  }
  const sockaddr_in address = address_of(words[0], std::atoi(words[1]));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) return 1;
  const std::vector<char> bytes(1 << 16, 'w');
  const double end = now_s() + std::atof(words[2]);
  while (now_s() < end) {
    pollfd poll{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&poll, 1, 100) == 1) ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  }
  std::printf("{\"congestion\":\"%s\"}\n", congestion_of(fd).c_str());
  // What waits is of no interest any more.
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "receive") == 0) return receive();
  if (count == 6 && std::strcmp(words[1], "send") == 0) return send(words + 2);
  return 2;
}
