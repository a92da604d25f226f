// See output.h.
#include "binding/output.h"

#include <sys/mman.h>

#include "binding/arguments.h"

namespace dwcp::binding {
namespace {

/// Below this a copy costs less than a finalizer.
constexpr size_t kExternalBytes = size_t{64} << 10;

/// From here on fresh pages cost more than what fills them.
constexpr size_t kHugeBytes = size_t{4} << 20;
constexpr uintptr_t kHugePageBytes = uintptr_t{2} << 20;

/// Asks for huge pages under `bytes`, which will be written in full: 64 MB are 32 faults instead of
/// 16384. Advice only; whether it is taken changes nothing but time.
void advise_huge_pages([[maybe_unused]] std::span<uint8_t> bytes) {
#ifdef MADV_HUGEPAGE
  if (bytes.size() < kHugeBytes) return;
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = (begin + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  const uintptr_t last = (begin + bytes.size()) & ~(kHugePageBytes - 1);
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

void free_block(napi_env /*env*/, void* data, void* /*hint*/) { std::free(data); }

}  // namespace

napi_value allocate_buffer(Napi::Env env, size_t size, std::span<uint8_t>& target) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_buffer(env, size, &data, &buffer) != napi_ok) {
    bool thrown = false;
    napi_is_exception_pending(env, &thrown);
    if (!thrown) throw_status(env, {ErrorCode::LIMIT, "Out of memory for the decoded bytes."});
    return nullptr;
  }
  target = {static_cast<uint8_t*>(data), size};
  advise_huge_pages(target);
  return buffer;
}

napi_value copy_to_buffer(Napi::Env env, const codec::Block& block) {
  napi_value buffer = nullptr;
  const auto bytes = block.bytes();
  if (napi_create_buffer_copy(env, bytes.size(), bytes.data(), nullptr, &buffer) != napi_ok) {
    return nullptr;
  }
  return buffer;
}

napi_value move_to_buffer(Napi::Env env, codec::Block block) {
  const auto bytes = block.bytes();
  if (bytes.size() < kExternalBytes) return copy_to_buffer(env, block);
  napi_value buffer = nullptr;
  const napi_status status =
      napi_create_external_buffer(env, bytes.size(), bytes.data(), free_block, nullptr, &buffer);
  if (status == napi_no_external_buffers_allowed) return copy_to_buffer(env, block);
  if (status == napi_ok) block.release();
  return buffer;
}

}  // namespace dwcp::binding
