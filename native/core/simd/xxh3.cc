// The only file that sees the full xxhash.h: native/xxhash.mjs writes it from zstd's copy, which
// has XXH3 switched off. XXH_INLINE_ALL keeps every symbol local to this file. The AVX2
// form hashes twice as fast as the compiler's baseline and is chosen at run time; that of AVX-512
// gained nothing.
#include "core/simd/xxh3.h"

#include <cstring>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#define XXH_X86DISPATCH  // aligns accumulators for every form
#define XXH_DISPATCH_AVX2 1
#define XXH_TARGET_AVX2 __attribute__((target("avx2")))
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dwcp::simd {
namespace {

/// What is shorter takes the same way on every CPU.
constexpr size_t kLong = 240;

#if defined(__x86_64__)

bool has_avx2() { return __builtin_cpu_supports("avx2") != 0; }

XXH_TARGET_AVX2 XXH128_hash_t hash_long_avx2(std::span<const uint8_t> bytes) {
  return XXH3_hashLong_128b_internal(bytes.data(), bytes.size(), XXH3_kSecret, sizeof(XXH3_kSecret),
                                     XXH3_accumulate_avx2, XXH3_scrambleAcc_avx2);
}

XXH_TARGET_AVX2 void update_avx2(XXH3_state_t* state, std::span<const uint8_t> bytes) {
  XXH3_update(state, bytes.data(), bytes.size(), XXH3_accumulate_avx2, XXH3_scrambleAcc_avx2);
}

#endif

Digest128 canonical_of(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  Digest128 digest;
  static_assert(sizeof canonical.digest == digest.size());
  std::memcpy(digest.data(), canonical.digest, digest.size());
  return digest;
}

XXH3_state_t* state_of(std::byte* bytes) {
  return std::launder(reinterpret_cast<XXH3_state_t*>(bytes));
}

}  // namespace

Digest128 xxh3_128(std::span<const uint8_t> bytes) {
#if defined(__x86_64__)
  if (bytes.size() > kLong && has_avx2()) return canonical_of(hash_long_avx2(bytes));
#endif
  return canonical_of(XXH3_128bits(bytes.data(), bytes.size()));
}

Xxh3Stream::Xxh3Stream() {
  static_assert(sizeof(XXH3_state_t) == kStateBytes && alignof(XXH3_state_t) <= 64);
  XXH3_128bits_reset(new (state_.data()) XXH3_state_t);
}

void Xxh3Stream::update(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  XXH3_state_t* state = state_of(state_.data());
#if defined(__x86_64__)
  if (has_avx2()) return update_avx2(state, bytes);
#endif
  XXH3_128bits_update(state, bytes.data(), bytes.size());
}

Digest128 Xxh3Stream::digest() const {
  const auto* state = std::launder(reinterpret_cast<const XXH3_state_t*>(state_.data()));
  return canonical_of(XXH3_128bits_digest(state));
}

const char* xxh3_via() {
#if defined(__x86_64__)
  return has_avx2() ? "avx2" : "sse2";
#else
  return "scalar";
#endif
}

}  // namespace dwcp::simd
