// See match.h. Runs that end within a few words are the most common, so every form looks at those
// first.
#include "core/simd/match.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dwcp::simd {
namespace {

size_t equal_bytes_backward(uint64_t difference) {
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<size_t>(std::countl_zero(difference)) / 8;
  } else {
    return static_cast<size_t>(std::countr_zero(difference)) / 8;
  }
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) size_t common_forward_avx2(const uint8_t* a, const uint8_t* b,
                                                           size_t limit) {
  size_t at = 0;
  for (; at + 64 <= limit; at += 64) {
    const auto* left = reinterpret_cast<const __m256i*>(a + at);
    const auto* right = reinterpret_cast<const __m256i*>(b + at);
    const __m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256(left), _mm256_loadu_si256(right));
    const __m256i high =
        _mm256_cmpeq_epi8(_mm256_loadu_si256(left + 1), _mm256_loadu_si256(right + 1));
    if (_mm256_movemask_epi8(_mm256_and_si256(low, high)) == -1) continue;
    const auto low_mask = static_cast<uint32_t>(_mm256_movemask_epi8(low));
    if (low_mask != UINT32_MAX) return at + static_cast<size_t>(std::countr_one(low_mask));
    const auto high_mask = static_cast<uint32_t>(_mm256_movemask_epi8(high));
    return at + 32 + static_cast<size_t>(std::countr_one(high_mask));
  }
  return at + common_forward_scalar(a + at, b + at, limit - at);
}

/// Bit `i` of 16 is set where byte `i` is equal. SSE2, which every x86-64 has.
uint32_t equal_mask(const uint8_t* a, const uint8_t* b) {
  const __m128i left = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
  const __m128i right = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
  return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(left, right)));
}

bool has_avx2() { return __builtin_cpu_supports("avx2") != 0; }

#endif

}  // namespace

size_t common_forward_scalar(const uint8_t* a, const uint8_t* b, size_t limit) {
  size_t at = 0;
  for (; at + 8 <= limit; at += 8) {
    const uint64_t difference = load64(a + at) ^ load64(b + at);
    if (difference != 0) return at + equal_bytes_forward(difference);
  }
  while (at < limit && a[at] == b[at]) ++at;
  return at;
}

size_t common_forward(const uint8_t* a, const uint8_t* b, size_t limit) {
#if defined(__x86_64__)
  constexpr size_t kShort = 32;
  if (limit < kShort) return common_forward_scalar(a, b, limit);
  const uint32_t different = ~(equal_mask(a, b) | equal_mask(a + 16, b + 16) << 16);
  if (different != 0) return static_cast<size_t>(std::countr_zero(different));
  if (!has_avx2()) return kShort + common_forward_scalar(a + kShort, b + kShort, limit - kShort);
  return kShort + common_forward_avx2(a + kShort, b + kShort, limit - kShort);
#else
  return common_forward_scalar(a, b, limit);
#endif
}

size_t common_backward(const uint8_t* a, const uint8_t* b, size_t limit) {
  size_t count = 0;
#if defined(__x86_64__)
  for (; count + 16 <= limit; count += 16) {
    const uint32_t different = ~(equal_mask(a - count - 16, b - count - 16) << 16) >> 16 << 16;
    if (different != 0) return count + static_cast<size_t>(std::countl_zero(different));
  }
#endif
  for (; count + 8 <= limit; count += 8) {
    const uint64_t difference = load64(a - count - 8) ^ load64(b - count - 8);
    if (difference != 0) return count + equal_bytes_backward(difference);
  }
  while (count < limit && *(a - count - 1) == *(b - count - 1)) ++count;
  return count;
}

uint64_t find32_scalar(const uint8_t* at, uint32_t value) {
  uint64_t found = 0;
  for (size_t i = 0; i < kFindPlaces; ++i) found |= uint64_t{load32(at + i) == value} << i;
  return found;
}

uint64_t find32(const uint8_t* at, uint32_t value) {
#if defined(__x86_64__)
  // SSE2, which every x86-64 has. Dwords at the four phases; a phase holds every fourth place.
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(value));
  uint64_t found = 0;
  for (size_t i = 0; i < kFindPlaces; i += 16) {
    const auto at_phase = [&](size_t phase) {
      const auto* from = reinterpret_cast<const __m128i*>(at + i + phase);
      return _mm_cmpeq_epi32(_mm_loadu_si128(from), wanted);
    };
    const __m128i even = _mm_packs_epi32(at_phase(0), at_phase(2));
    const __m128i odd = _mm_packs_epi32(at_phase(1), at_phase(3));
    if (_mm_movemask_epi8(_mm_or_si128(even, odd)) == 0) continue;
    // Bytes of the mask: phase 0 at places 0, 4, 8, 12, then phase 2; odd likewise.
    const auto spread = [](__m128i packed) {
      const __m128i bytes = _mm_packs_epi16(packed, _mm_setzero_si128());
      return static_cast<uint32_t>(_mm_movemask_epi8(bytes));
    };
    const uint32_t evens = spread(even);
    const uint32_t odds = spread(odd);
    for (uint32_t k = 0; k < 4; ++k) {
      const uint64_t nibble = (evens >> k & 1) | (odds >> k & 1) << 1 |
                              (evens >> (4 + k) & 1) << 2 | (odds >> (4 + k) & 1) << 3;
      found |= nibble << (i + 4 * k);
    }
  }
  return found;
#else
  return find32_scalar(at, value);
#endif
}

void add_bytes(uint8_t* target, const uint8_t* base, const uint8_t* addend, size_t size) {
  for (size_t i = 0; i < size; ++i) target[i] = static_cast<uint8_t>(base[i] + addend[i]);
}

const char* match_via() {
#if defined(__x86_64__)
  if (has_avx2()) return "avx2";
#endif
  return "scalar";
}

}  // namespace dwcp::simd
