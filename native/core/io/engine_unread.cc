// Connections that nobody reads, such as pipes handed out and not started yet. No back end looks at
// their sockets, so the watchdog does: a reset is told at once, and so is a FIN with nothing before
// it. Behind bytes that wait to be read a FIN must wait too; but nothing more can come from there,
// and that alone keeps no process alive.
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "core/io/engine.h"

namespace dwcp::io {

void Engine::watch_unread() {
  std::vector<pollfd> sockets;
  std::vector<Connection*> watched;
  for (const auto& connection : connections_) {
    if (connection->phase != Phase::kOpen || connection->ended || connection->receiving ||
        connection->wants_input()) {
      continue;
    }
    sockets.push_back({connection->fd, POLLRDHUP, 0});
    watched.push_back(connection.get());
  }
  if (sockets.empty() || ::poll(sockets.data(), sockets.size(), 0) <= 0) return;
  for (size_t i = 0; i < sockets.size(); ++i) look_after(*watched[i], sockets[i].revents);
}

/// `events` are those of the socket of a connection that nobody reads.
void Engine::look_after(Connection& connection, int events) {
  if ((events & (POLLERR | POLLHUP)) != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    on_end(connection, error == 0 ? ECONNRESET : error);
  } else if ((events & POLLRDHUP) != 0) {
    int unread = 0;
    const bool known = ioctl(connection.fd, FIONREAD, &unread) == 0;
    if (known && unread == 0) on_end(connection, 0);
    mark_left(connection, connection.paused && (unread > 0 || connection.has_input()));
  }
}

void Engine::mark_left(Connection& connection, bool left) {
  if (connection.left == left) return;
  connection.left = left;
  if (left) {
    ++left_count_;
  } else {
    --left_count_;
  }
}

}  // namespace dwcp::io
