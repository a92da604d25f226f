// What is encoded against any base, at any effort, must come back.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/delta/decoder.h"
#include "core/delta/encoder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static dwcp::codec::ContextPool pool;
  if (size < 3) return 0;
  const auto effort = static_cast<dwcp::delta::Effort>(data[0] % 3);
  const std::span body(data + 3, size - 3);
  // Exact heap blocks, so that reads past their ends are seen.
  const auto base_view = body.first(body.size() * data[1] / 256);
  const std::vector<uint8_t> base(base_view.begin(), base_view.end());
  const auto shared = base_view.subspan(base.size() * data[2] / 256);
  std::vector<uint8_t> content(shared.begin(), shared.end());
  const auto fresh = body.subspan(base.size());
  content.insert(content.end(), fresh.begin(), fresh.end());
  content.insert(content.end(), base.begin(), base.end());

  dwcp::delta::BaseIndex index;
  if (!dwcp::delta::BaseIndex::build(base, index).ok()) std::abort();
  dwcp::codec::Block payload;
  if (!dwcp::delta::encode(pool, index, base, content, {effort}, payload).ok()) std::abort();
  std::vector<uint8_t> target(content.size());
  if (!dwcp::delta::decode(pool, base, payload.bytes(), {}, target).ok()) std::abort();
  if (!std::equal(target.begin(), target.end(), content.begin())) std::abort();
  return 0;
}
