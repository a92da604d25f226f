// See direction.h.
#include "direction.h"

#include <unistd.h>

#include <algorithm>

void Direction::take(const char* packet, size_t size, uint64_t now) {
  ++counters_.packets;
  if (options_.loss > 0 && chance() < options_.loss) {
    ++counters_.lost;
    return;
  }
  const uint64_t starts = std::max(line_free_, now);
  const double bytes = static_cast<double>(size);
  if (options_.rate_bits > 0) {
    const double waiting = static_cast<double>(starts - now) / 1e9 * options_.rate_bits / 8;
    if (waiting + bytes > options_.queue_bytes) {
      ++counters_.dropped;
      return;
    }
    line_free_ = starts + static_cast<uint64_t>(bytes * 8 / options_.rate_bits * 1e9);
  } else {
    line_free_ = starts;
  }
  double delay = options_.delay_ns;
  if (options_.jitter_ns > 0) delay += chance() * options_.jitter_ns;
  const bool ahead = options_.reorder > 0 && chance() < options_.reorder;
  if (ahead) delay /= 2;
  uint64_t departs = line_free_ + static_cast<uint64_t>(delay);
  if (ahead) {
    ++counters_.reordered;
  } else {
    departs = std::max(departs, last_departure_);
    last_departure_ = departs;
  }
  Packet* entry = nullptr;
  if (spare_.empty()) {
    entry = new Packet;
  } else {
    entry = spare_.back();
    spare_.pop_back();
  }
  entry->departs = departs;
  entry->number = number_++;
  entry->bytes.assign(packet, packet + size);
  packets_.push(entry);
}

void Direction::deliver(int fd, uint64_t now) {
  while (!packets_.empty() && packets_.top()->departs <= now) {
    Packet* packet = packets_.top();
    packets_.pop();
    // A device whose owner is gone takes nothing; the relay ends with its standard input.
    if (write(fd, packet->bytes.data(), packet->bytes.size()) < 0) {
    }
    spare_.push_back(packet);
  }
}
