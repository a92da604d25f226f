// The part of libuv the I/O engine uses. Node exports these functions to every addon, and libuv
// keeps them and the handle numbers through version 1; its headers are not everywhere Node-API's
// are. Handles are opaque: libuv says how large each is.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
struct uv_loop_s;
struct uv_handle_s;

using uv_close_cb = void (*)(uv_handle_s*);
using uv_poll_cb = void (*)(uv_handle_s*, int status, int events);
using uv_timer_cb = void (*)(uv_handle_s*);
using uv_idle_cb = void (*)(uv_handle_s*);

size_t uv_handle_size(int type);
void uv_handle_set_data(uv_handle_s* handle, void* data);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_ref(uv_handle_s* handle);
void uv_unref(uv_handle_s* handle);
void uv_close(uv_handle_s* handle, uv_close_cb callback);

int uv_dlopen(const char* filename, void* library);
int uv_dlsym(void* library, const char* name, void** pointer);

int uv_poll_init(uv_loop_s* loop, uv_handle_s* handle, int fd);
int uv_poll_start(uv_handle_s* handle, int events, uv_poll_cb callback);
int uv_poll_stop(uv_handle_s* handle);
int uv_timer_init(uv_loop_s* loop, uv_handle_s* handle);
int uv_timer_start(uv_handle_s* handle, uv_timer_cb callback, uint64_t timeout_ms,
                   uint64_t repeat_ms);
int uv_timer_stop(uv_handle_s* handle);
int uv_idle_init(uv_loop_s* loop, uv_handle_s* handle);
int uv_idle_start(uv_handle_s* handle, uv_idle_cb callback);
int uv_idle_stop(uv_handle_s* handle);
}

namespace dwcp::binding {

/// `uv_handle_type`.
enum class UvHandle : int { kIdle = 6, kPoll = 8, kTimer = 13 };
inline constexpr int kUvReadable = 1;
/// More than a `uv_lib_t` takes.
inline constexpr size_t kUvLibraryWords = 8;

}  // namespace dwcp::binding
