// The SSE4.2 path hashes three lanes at once, because the instruction has a latency of three cycles
// and a throughput of one, and joins them by shifting a CRC over a lane of zero bytes (Mark Adler's
// crc32c.c). With AVX-512 four registers of 64 bytes are folded by carry-less multiplication (Gopal
// et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ"), several times as many
// bytes per cycle. Tables and constants are computed by the compiler.
#include "core/simd/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
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

/// x^`exponent` modulo the polynomial as carry-less multiplication of reflected numbers wants it.
constexpr uint64_t power(size_t exponent) {
  uint32_t value = 0x80000000;
  for (size_t i = 0; i < exponent; ++i) value = value & 1 ? (value >> 1) ^ kPolynomial : value >> 1;
  return uint64_t{value} << 1;
}

/// Factors that move 128 bits over `bits` further ones: for the half that comes first on the wire,
/// and the other.
struct Factors {
  uint64_t first;
  uint64_t second;
};
constexpr Factors over(size_t bits) { return {power(bits + 32), power(bits - 32)}; }
constexpr Factors kOver2048 = over(2048);
constexpr Factors kOver512 = over(512);
constexpr Factors kOver384 = over(384);
constexpr Factors kOver256 = over(256);
constexpr Factors kOver128 = over(128);

constexpr size_t kBlock = 64;
/// Shorter input is done before the registers are set up.
constexpr size_t kLeastFolded = 2 * kBlock;

#define DWCP_AVX512 __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

DWCP_AVX512 inline __m512i block_at(const uint8_t* at) { return _mm512_loadu_si512(at); }

DWCP_AVX512 inline __m512i in_all_lanes(const Factors& factors) {
  const auto first = static_cast<long long>(factors.first);
  const auto second = static_cast<long long>(factors.second);
  return _mm512_set4_epi64(second, first, second, first);
}

/// `state` moved on by what the factors say, joined with what stands there.
DWCP_AVX512 inline __m512i fold(__m512i state, __m512i factors, __m512i there) {
  const __m512i first = _mm512_clmulepi64_epi128(state, factors, 0x00);
  const __m512i second = _mm512_clmulepi64_epi128(state, factors, 0x11);
  return _mm512_ternarylogic_epi64(first, second, there, 0x96);
}

/// 64 bytes with the CRC of everything before them; a CRC of all.
DWCP_AVX512 inline uint64_t reduce(__m512i state) {
  const auto word = [](uint64_t value) { return static_cast<long long>(value); };
  // The first three of the four lanes are moved next to the last one, which stays.
  const __m512i factors =
      _mm512_set_epi64(0, 0, word(kOver128.second), word(kOver128.first), word(kOver256.second),
                       word(kOver256.first), word(kOver384.second), word(kOver384.first));
  const __m512i last = _mm512_maskz_mov_epi64(0xc0, state);
  const __m512i moved = fold(state, factors, last);
  // The plain casts and extractions of GCC 12 warn of their own uninitialized parts.
  const __m256i half = _mm256_xor_si256(_mm512_maskz_extracti64x4_epi64(0xf, moved, 0),
                                        _mm512_maskz_extracti64x4_epi64(0xf, moved, 1));
  const __m128i lane =
      _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  const auto first = static_cast<uint64_t>(_mm_extract_epi64(lane, 0));
  const auto second = static_cast<uint64_t>(_mm_extract_epi64(lane, 1));
  return _mm_crc32_u64(_mm_crc32_u64(0, first), second);
}

DWCP_AVX512 uint32_t crc32c_avx512(std::span<const uint8_t> bytes, uint32_t seed) {
  if (bytes.size() < kLeastFolded) return crc32c_sse42(bytes, seed);
  const uint8_t* at = bytes.data();
  const uint8_t* const end = at + bytes.size();
  const __m512i begun = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(~seed)));
  __m512i state = _mm512_xor_si512(block_at(at), begun);
  const __m512i next = in_all_lanes(kOver512);
  at += kBlock;
  if (end - at >= static_cast<ptrdiff_t>(7 * kBlock)) {
    __m512i second = block_at(at);
    __m512i third = block_at(at + kBlock);
    __m512i fourth = block_at(at + 2 * kBlock);
    const __m512i ahead = in_all_lanes(kOver2048);
    for (at += 3 * kBlock; end - at >= static_cast<ptrdiff_t>(4 * kBlock); at += 4 * kBlock) {
      state = fold(state, ahead, block_at(at));
      second = fold(second, ahead, block_at(at + kBlock));
      third = fold(third, ahead, block_at(at + 2 * kBlock));
      fourth = fold(fourth, ahead, block_at(at + 3 * kBlock));
    }
    state = fold(fold(fold(state, next, second), next, third), next, fourth);
  }
  for (; end - at >= static_cast<ptrdiff_t>(kBlock); at += kBlock) {
    state = fold(state, next, block_at(at));
  }
  uint64_t crc = reduce(state);
  for (; end - at >= 8; at += 8) crc = _mm_crc32_u64(crc, load64(at));
  for (; at < end; ++at) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), *at);
  return ~static_cast<uint32_t>(crc);
}

#undef DWCP_AVX512

bool has_avx512() {
  return __builtin_cpu_supports("vpclmulqdq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
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
  if (has_avx512()) return crc32c_avx512(bytes, seed);
  if (has_sse42()) return crc32c_sse42(bytes, seed);
#endif
  return crc32c_scalar(bytes, seed);
}

std::vector<Crc32cPath> crc32c_paths() {
  std::vector<Crc32cPath> paths;
#if defined(__x86_64__)
  if (has_avx512()) paths.push_back({"avx512", crc32c_avx512});
  if (has_sse42()) paths.push_back({"sse4.2", crc32c_sse42});
#endif
  paths.push_back({"scalar", crc32c_scalar});
  return paths;
}

}  // namespace dwcp::simd
