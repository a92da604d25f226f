// CRC-32C: the accelerated path, the scalar path, and any split in two must agree.
#include <cstdlib>

#include "core/simd/crc32c.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(data, size);
  const uint32_t whole = dwcp::simd::crc32c_scalar(bytes);
  const size_t cut = size == 0 ? 0 : data[0] % (size + 1);
  const uint32_t first = dwcp::simd::crc32c(bytes.first(cut));
  if (dwcp::simd::crc32c(bytes) != whole) std::abort();
  if (dwcp::simd::crc32c(bytes.subspan(cut), first) != whole) std::abort();
  return 0;
}
