// Training of dictionaries for JavaScript.
#pragma once

#include <napi.h>

namespace dwcp::binding {

/// Adds the training functions to `exports`.
void export_training(Napi::Env env, Napi::Object exports);

}  // namespace dwcp::binding
