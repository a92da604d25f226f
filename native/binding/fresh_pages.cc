// See fresh_pages.h. The pages are made by MADV_POPULATE_WRITE, which leaves their content alone:
// it may race with the thread that fills them.
#include "binding/fresh_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "binding/arguments.h"
#include "binding/async_operation.h"

#if defined(MADV_HUGEPAGE) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older kernels refuse it
#endif

namespace dwcp::binding {
namespace {

/// From here on fresh pages cost more than what fills them.
constexpr size_t kHugeBytes = size_t{4} << 20;
/// From here on a second thread is worth waking.
constexpr size_t kTwoThreadBytes = size_t{16} << 20;
constexpr uintptr_t kHugePageBytes = uintptr_t{2} << 20;

#ifdef MADV_HUGEPAGE

/// The whole huge pages within `bytes`.
struct Pages {
  explicit Pages(std::span<uint8_t> bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
    first = (begin + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
    last = (begin + bytes.size()) & ~(kHugePageBytes - 1);
  }
  void advise_huge() const { madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE); }
  uintptr_t first;
  uintptr_t last;
};

class PageOperation final : public AsyncOperation {
 public:
  PageOperation(Pages pages, FilledFlag filled) : pages_(pages), filled_(std::move(filled)) {}

 private:
  Status execute() override {
    for (uintptr_t at = pages_.last; at > pages_.first && !filled_->load(); at -= kHugePageBytes) {
      void* page = reinterpret_cast<void*>(at - kHugePageBytes);
      if (madvise(page, kHugePageBytes, MADV_POPULATE_WRITE) != 0) break;
    }
    return {};
  }
  napi_value result(Napi::Env env) override { return env.Undefined(); }

  Pages pages_;
  FilledFlag filled_;
};

/// `buffer` holds the memory of `pages`.
void start_making(Napi::Env env, napi_value buffer, Pages pages, FilledFlag filled) {
  auto operation = std::make_unique<PageOperation>(pages, std::move(filled));
  operation->hold(env, buffer);
  AsyncOperation::start(env, std::move(operation), "dwcp.pages");
}

#endif

/// (bytes, from, to)
Napi::Value make_pages(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::span<uint8_t> bytes;
  if (!read_target(env, info[0], Use::kAfterCall, bytes)) return {};
  const auto size = static_cast<int64_t>(bytes.size());
  int64_t from = 0;
  int64_t to = 0;
  if (!read_integer(info, 1, 0, size, "The first byte is out of range.", from) ||
      !read_integer(info, 2, from, size, "The end is out of range.", to)) {
    return {};
  }
#ifdef MADV_HUGEPAGE
  // A page is made with the range it ends in, so that ranges end to end leave none out.
  Pages pages(bytes.first(static_cast<size_t>(to)));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) + static_cast<size_t>(from);
  pages.first = std::max(pages.first, begin & ~(kHugePageBytes - 1));
  if (pages.last > pages.first) {
    pages.advise_huge();
    start_making(env, info[0], pages, FilledFlag::make());
  }
#endif
  return env.Undefined();
}

}  // namespace

void advise_huge_pages([[maybe_unused]] std::span<uint8_t> bytes) {
#ifdef MADV_HUGEPAGE
  if (bytes.size() < kHugeBytes) return;
  Pages(bytes).advise_huge();
#endif
}

void make_pages_behind([[maybe_unused]] Napi::Env env, [[maybe_unused]] napi_value buffer,
                       [[maybe_unused]] std::span<uint8_t> bytes,
                       [[maybe_unused]] FilledFlag filled) {
#ifdef MADV_HUGEPAGE
  if (bytes.size() < kTwoThreadBytes) return;
  start_making(env, buffer, Pages(bytes), std::move(filled));
#endif
}

void export_pages(Napi::Env env, Napi::Object exports) {
  exports["makePages"] = Napi::Function::New<make_pages>(env, "makePages");
}

}  // namespace dwcp::binding
