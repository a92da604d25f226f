// See output.h.
#include "binding/output.h"

#include "binding/arguments.h"
#include "binding/fresh_pages.h"

namespace dwcp::binding {
namespace {

/// Below this a copy costs less than a finalizer.
constexpr size_t kExternalBytes = size_t{64} << 10;

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
