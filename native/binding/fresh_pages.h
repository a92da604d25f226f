// Memory fresh from the kernel is zeroed page by page as it is first written. For outputs of many
// megabytes that costs as much as what fills them, so the pages are made large, and a second thread
// makes the hind ones while the first fills the front.
#pragma once

#include <napi.h>

#include <atomic>
#include <span>

#include "core/shared.h"

namespace dwcp::binding {

/// Asks for huge pages under `bytes`, which will be written in full: 64 MB are 32 faults instead of
/// 16384. Advice only; whether it is taken changes nothing but time. Nothing for small ones.
void advise_huge_pages(std::span<uint8_t> bytes);

/// Set by whoever fills the memory when it is full.
using FilledFlag = Shared<std::atomic<bool>>;

/// Makes the pages of `bytes`, the memory of `buffer`, on a pool thread, from the end to the front,
/// until `filled` is set or all are there. Does nothing for small ones, or where the kernel cannot.
void make_pages_behind(Napi::Env env, napi_value buffer, std::span<uint8_t> bytes,
                       FilledFlag filled);

/// For memory that JavaScript fills piece by piece: `makePages` of lib/native/contract.ts.
void export_pages(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
