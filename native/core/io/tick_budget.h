// How long one tick may work before it gives the event loop back to others. Work is counted and the
// clock is asked now and then: it costs as much as a small message does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>

namespace dwcp::io {

class TickBudget {
 public:
  /// Work that is worth a look at the clock: 64 small messages, or one of 64 KiB.
  static constexpr size_t kLook = 64 * 1024;

  explicit TickBudget(uint64_t limit_us) : limit_ns_(limit_us * 1000) {}

  void begin() {
    end_ns_ = now_ns() + limit_ns_;
    done_ = 0;
    spent_ = false;
  }
  /// Something was done, over so many bytes. True when the rest should wait for the next tick.
  bool charge(size_t bytes) {
    done_ += kStep + bytes;
    if (done_ < kLook) return spent_;
    done_ = 0;
    spent_ = spent_ || now_ns() >= end_ns_;
    return spent_;
  }
  bool spent() const { return spent_; }

  static uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  }

 private:
  static constexpr size_t kStep = 1024;

  uint64_t limit_ns_;
  uint64_t end_ns_ = 0;
  size_t done_ = 0;
  bool spent_ = false;
};

}  // namespace dwcp::io
