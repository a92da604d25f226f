// Entry point of the addon: one Instance per environment (main thread or worker), freed with it.
#include <napi.h>

#include "binding/codec_binding.h"
#include "binding/delta_binding.h"
#include "binding/dictionary_object.h"
#include "binding/exchange_binding.h"
#include "binding/fresh_pages.h"
#include "binding/instance.h"
#include "binding/io_binding.h"
#include "binding/record_binding.h"
#include "binding/signature_binding.h"
#include "binding/tls_binding.h"
#include "binding/training_binding.h"

namespace {

/// Changes with any change of the exports; lib/native/addon-codec.ts expects the same number.
constexpr double kContract = 11;

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new dwcp::binding::Instance);
  exports["contract"] = Napi::Number::New(env, kContract);
  dwcp::binding::export_codec(env, exports);
  dwcp::binding::export_delta(env, exports);
  dwcp::binding::export_io(env, exports);
  dwcp::binding::export_pages(env, exports);
  dwcp::binding::export_dictionary(env, exports);
  dwcp::binding::export_records(env, exports);
  dwcp::binding::export_batches(env, exports);
  dwcp::binding::export_exchange(env, exports);
  dwcp::binding::export_signature(env, exports);
  dwcp::binding::export_tls(env, exports);
  dwcp::binding::export_training(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(dwcp, init)
