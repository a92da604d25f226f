// A value with several owners on several threads. Not std::shared_ptr: that asks for a newer glibc
// than the addon promises to run on, and exports symbols of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace dwcp {

template <typename T>
class Shared {
 public:
  Shared() = default;
  Shared(const Shared& other) : cell_(other.cell_) {
    if (cell_ != nullptr) cell_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Shared(Shared&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Shared& operator=(Shared other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~Shared() { reset(); }

  /// A new value with one owner.
  static Shared make() {
    Shared shared;
    shared.cell_ = new Cell;
    return shared;
  }

  void reset() {
    Cell* cell = std::exchange(cell_, nullptr);
    // The last owner must see what the others did with the value.
    if (cell != nullptr && cell->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete cell;
  }

  explicit operator bool() const { return cell_ != nullptr; }
  T& operator*() const { return cell_->value; }
  T* operator->() const { return &cell_->value; }

 private:
  struct Cell {
    T value;
    std::atomic<size_t> owners = 1;
  };

  Cell* cell_ = nullptr;
};

}  // namespace dwcp
