// A network namespace without a name, with loopback and one TUN device. It lives as long as
// something holds it: this process, or what runs inside. Nothing has to be removed afterwards,
// however a run ends.
#pragma once

#include <string>

struct Namespace {
  int fd = -1;   // of the namespace; `/proc/PID/fd/N` leads into it
  int tun = -1;  // packets of the device `wan0`, without a header
};

/// Makes one whose device has the IPv4 `address` in a /24. Ends the process with a message when
/// that fails.
Namespace make_namespace(const std::string& address);
