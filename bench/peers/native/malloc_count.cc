// Counts this thread's calls of the C allocator. Loaded twice over: by LD_PRELOAD, so that every
// library's calls come through here, and by `require`, where `count()` reads the number. glibc
// only.
#include <node_api.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {
thread_local uint64_t calls = 0;
}

extern "C" {

void* malloc(size_t size) {
  ++calls;
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  ++calls;
  return __libc_calloc(count, size);
}

void* realloc(void* memory, size_t size) {
  ++calls;
  return __libc_realloc(memory, size);
}

void* memalign(size_t alignment, size_t size) {
  ++calls;
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}

}  // extern "C"

namespace {

napi_value Count(napi_env env, napi_callback_info) {
  napi_value number = nullptr;
  napi_create_double(env, static_cast<double>(calls), &number);
  return number;
}

napi_value Init(napi_env env, napi_value exports) {
  const napi_property_descriptor property = {"count", nullptr, Count,        nullptr,
                                             nullptr, nullptr, napi_default, nullptr};
  napi_define_properties(env, exports, 1, &property);
  return exports;
}

}  // namespace

NAPI_MODULE(malloc_count, Init)
