// The SSE4.2 path hashes three lanes at once, because the instruction has a latency of three cycles
// and a throughput of one, and joins them by shifting a CRC over a lane of zero bytes (Mark Adler's
// crc32c.c). Tables are computed by the compiler.
#include "core/simd/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace dwcp::simd {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;
using Table = std::array<uint32_t, 256>;

constexpr std::array<Table, 8> make_slices() {
  std::array<Table, 8> slices{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) ? (crc >> 1) ^ kPolynomial : crc >> 1;
    slices[0][byte] = crc;
  }
  for (size_t k = 1; k < slices.size(); ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t previous = slices[k - 1][byte];
      slices[k][byte] = (previous >> 8) ^ slices[0][previous & 0xff];
    }
  }
  return slices;
}

constexpr std::array<Table, 8> kSlices = make_slices();

uint64_t load64(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

#if defined(__x86_64__)

/// One table per byte of a CRC: together they advance it over a fixed count of zero bytes.
using Shift = std::array<Table, 4>;

constexpr Shift make_shift(size_t zero_bytes) {
  Shift shift{};
  for (size_t k = 0; k < 4; ++k) {
    // The map is linear: compute single bits, then fill the table by XOR.
    for (uint32_t bit = 0; bit < 8; ++bit) {
      uint32_t crc = 1u << (8 * k + bit);
      for (size_t i = 0; i < zero_bytes; ++i) crc = (crc >> 8) ^ kSlices[0][crc & 0xff];
      shift[k][1u << bit] = crc;
    }
    for (uint32_t byte = 1; byte < 256; ++byte) {
      const uint32_t low = byte & (~byte + 1);
      if (byte != low) shift[k][byte] = shift[k][byte ^ low] ^ shift[k][low];
    }
  }
  return shift;
}

constexpr size_t kLongLane = 2048;
constexpr size_t kShortLane = 256;
constexpr Shift kLongShift = make_shift(kLongLane);
constexpr Shift kShortShift = make_shift(kShortLane);

uint32_t apply(const Shift& shift, uint32_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][(crc >> 8) & 0xff] ^ shift[2][(crc >> 16) & 0xff] ^
         shift[3][crc >> 24];
}

/// Hashes as many groups of three lanes as fit and moves `at` behind them.
template <size_t kLane>
__attribute__((target("sse4.2"))) uint64_t three_lanes(const uint8_t*& at, const uint8_t* end,
                                                       uint64_t crc, const Shift& shift) {
  while (static_cast<size_t>(end - at) >= 3 * kLane) {
    uint64_t second = 0;
    uint64_t third = 0;
    for (const uint8_t* stop = at + kLane; at < stop; at += 8) {
      crc = _mm_crc32_u64(crc, load64(at));
      second = _mm_crc32_u64(second, load64(at + kLane));
      third = _mm_crc32_u64(third, load64(at + 2 * kLane));
    }
    crc = apply(shift, static_cast<uint32_t>(crc)) ^ second;
    crc = apply(shift, static_cast<uint32_t>(crc)) ^ third;
    at += 2 * kLane;
  }
  return crc;
}

__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(std::span<const uint8_t> bytes,
                                                        uint32_t seed) {
  const uint8_t* at = bytes.data();
  const uint8_t* const end = at + bytes.size();
  uint64_t crc = ~seed;
  crc = three_lanes<kLongLane>(at, end, crc, kLongShift);
  crc = three_lanes<kShortLane>(at, end, crc, kShortShift);
  for (; end - at >= 8; at += 8) crc = _mm_crc32_u64(crc, load64(at));
  for (; at < end; ++at) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), *at);
  return ~static_cast<uint32_t>(crc);
}

bool has_sse42() { return __builtin_cpu_supports("sse4.2") != 0; }

#endif

}  // namespace

uint32_t crc32c_scalar(std::span<const uint8_t> bytes, uint32_t seed) {
  const uint8_t* at = bytes.data();
  const uint8_t* const end = at + bytes.size();
  uint32_t crc = ~seed;
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= 8; at += 8) {
      const uint64_t word = load64(at) ^ crc;
      crc = 0;
      for (size_t k = 0; k < 8; ++k) crc ^= kSlices[7 - k][(word >> (8 * k)) & 0xff];
    }
  }
  for (; at < end; ++at) crc = (crc >> 8) ^ kSlices[0][(crc ^ *at) & 0xff];
  return ~crc;
}

uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed) {
#if defined(__x86_64__)
  if (has_sse42()) return crc32c_sse42(bytes, seed);
#endif
  return crc32c_scalar(bytes, seed);
}

const char* crc32c_via() {
#if defined(__x86_64__)
  if (has_sse42()) return "sse4.2";
#endif
  return "scalar";
}

}  // namespace dwcp::simd
