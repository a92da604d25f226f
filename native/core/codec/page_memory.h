// Memory for zstd's contexts, whose tables grow from call to call: large pieces are pages of the
// system's own, so that what is outgrown goes back at once and leaves no hole among other memory.
#pragma once

#define ZSTD_STATIC_LINKING_ONLY
#include <sys/mman.h>
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace dwcp::codec {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DWCP_HEAP_ONLY
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define DWCP_HEAP_ONLY
#endif

/// Pieces from this size on are pages, bytes. Under AddressSanitizer none are: zstd marks what it
/// does not use there, and only the heap takes the marks away.
#ifdef DWCP_HEAP_ONLY
inline constexpr size_t kLeastPages = SIZE_MAX;
#else
inline constexpr size_t kLeastPages = size_t{128} << 10;
#endif

/// Before each piece: bytes of its pages, 0 where it is of the heap. Keeps zstd's alignment.
struct alignas(64) PieceHead {
  size_t page_bytes;
};

/// What zstd's `customAlloc` does; null when memory is short.
inline void* take_piece(void* /*opaque*/, size_t size) {
  const size_t whole = size + sizeof(PieceHead);
  if (whole < size) return nullptr;
  if (whole < kLeastPages) {
    const size_t rounded = (whole + alignof(PieceHead) - 1) / alignof(PieceHead);
    void* place = std::aligned_alloc(alignof(PieceHead), rounded * alignof(PieceHead));
    return place == nullptr ? nullptr : new (place) PieceHead{0} + 1;
  }
  void* place = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return place == MAP_FAILED ? nullptr : new (place) PieceHead{whole} + 1;
}

/// What zstd's `customFree` does.
inline void give_piece(void* /*opaque*/, void* piece) {
  if (piece == nullptr) return;
  auto* head = static_cast<PieceHead*>(piece) - 1;
  if (head->page_bytes == 0) {
    std::free(head);
  } else {
    munmap(head, head->page_bytes);
  }
}

/// For the `…_advanced` functions of zstd.
inline ZSTD_customMem page_memory() { return {&take_piece, &give_piece, nullptr}; }

}  // namespace dwcp::codec
