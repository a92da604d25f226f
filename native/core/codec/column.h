// A growing array over malloc: the core is built without exceptions, so running out of memory is a
// flag to look at, not a throw. What does not fit any more is dropped.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace dwcp::codec {

template <typename T>
class Column {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Column() = default;
  Column(Column&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, 0)),
        full_(std::exchange(other.full_, false)) {}
  Column& operator=(Column&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
    std::swap(full_, other.full_);
    return *this;
  }
  ~Column() { std::free(data_); }

  void push(T value) {
    if (size_ == room_ && !grow(1)) return;
    data_[size_++] = value;
  }

  void append(std::span<const T> values) {
    if (values.size() > room_ - size_ && !grow(values.size())) return;
    if (!values.empty()) std::memcpy(data_ + size_, values.data(), values.size_bytes());
    size_ += values.size();
  }

  /// Room for `count` more at the end, counted as part of the column; empty when memory is short.
  std::span<T> extend(size_t count) {
    if (count > room_ - size_ && !grow(count)) return {};
    size_ += count;
    return {data_ + size_ - count, count};
  }

  /// Makes room for `size` values in all, so that none is moved while they come.
  void reserve(size_t size) {
    if (size > room_) grow(size - size_);
  }

  /// Forgets everything behind the first `size` values.
  void truncate(size_t size) { size_ = std::min(size, size_); }
  void clear() { size_ = 0; }

  bool failed() const { return full_; }
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t room_bytes() const { return room_ * sizeof(T); }
  std::span<const T> values() const { return {data_, size_}; }
  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }

  /// Hands the memory to the caller, who frees it with `std::free`.
  T* release() {
    size_ = room_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  bool grow(size_t more) {
    constexpr size_t kLeast = 256;
    const size_t room = std::max({room_ + room_ / 2, size_ + more, kLeast});
    void* larger =
        full_ || room > SIZE_MAX / sizeof(T) ? nullptr : std::realloc(data_, room * sizeof(T));
    if (larger == nullptr) {
      full_ = true;
      return false;
    }
    data_ = static_cast<T*>(larger);
    room_ = room;
    return true;
  }

  T* data_ = nullptr;
  size_t size_ = 0;
  size_t room_ = 0;
  bool full_ = false;
};

}  // namespace dwcp::codec
