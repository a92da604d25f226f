// A growable-once piece of malloc memory: room for the worst case is reserved untouched, then cut
// to what was used. malloc rather than new: reserved pages cost nothing until written, and realloc
// returns the rest.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "core/codec/column.h"

namespace dwcp::codec {

class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Block& operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Block() { std::free(data_); }

  /// A block of `size` bytes, more than none, of unspecified content; not valid when memory is
  /// short.
  static Block reserve(size_t size) {
    Block block;
    block.data_ = static_cast<uint8_t*>(std::malloc(size));
    block.size_ = block.data_ == nullptr ? 0 : size;
    return block;
  }

  /// The same, of zeros. Tables that are read all over cost a miss of the address cache with each
  /// look, unless their pages are large.
  static Block zeroed(size_t size) {
    constexpr size_t kHugePage = size_t{2} << 20;
    Block block;
    if (size < kHugePage) {
      block.data_ = static_cast<uint8_t*>(std::calloc(size, 1));
    } else {
      const size_t rounded = (size + kHugePage - 1) / kHugePage * kHugePage;
      block.data_ = static_cast<uint8_t*>(std::aligned_alloc(kHugePage, rounded));
      if (block.data_ == nullptr) return block;
#ifdef MADV_HUGEPAGE
      madvise(block.data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
      std::memset(block.data_, 0, size);
    }
    block.size_ = block.data_ == nullptr ? 0 : size;
    return block;
  }

  /// The values of `column`, which is not empty and is left so, in their own memory.
  static Block adopt(Column<uint8_t>& column) {
    Block block;
    const size_t size = column.size();
    block.data_ = column.release();
    block.shrink(size);
    return block;
  }

  /// Gives back everything behind the first `size` bytes, which are more than none.
  void shrink(size_t size) {
    void* smaller = std::realloc(data_, size);
    if (smaller != nullptr) data_ = static_cast<uint8_t*>(smaller);
    size_ = size;
  }

  bool valid() const { return data_ != nullptr; }
  std::span<uint8_t> bytes() const { return {data_, size_}; }
  /// Hands the memory to the caller, who frees it with `std::free`.
  uint8_t* release() {
    size_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace dwcp::codec
