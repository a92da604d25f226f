// The closed list of error codes, the same as `errorCodes` in lib/errors.ts (a test compares the
// two), and the status the core returns instead of throwing: the core and the binding are built
// without exceptions.
#pragma once

#include <cstdint>

#define DWCP_ERROR_CODES(CODE) \
  CODE(INVALID_ARG)            \
  CODE(CLOSED)                 \
  CODE(ABORTED)                \
  CODE(DEADLINE)               \
  CODE(LIMIT)                  \
  CODE(NATIVE_UNAVAILABLE)     \
  CODE(FRAME_MAGIC)            \
  CODE(FRAME_VERSION)          \
  CODE(FRAME_CODEC)            \
  CODE(FRAME_FLAGS)            \
  CODE(FRAME_CORRUPT)          \
  CODE(FRAME_CHECKSUM)         \
  CODE(FRAME_KIND)             \
  CODE(BASE_MISSING)           \
  CODE(BASE_MISMATCH)          \
  CODE(DICTIONARY_INVALID)     \
  CODE(DICTIONARY_MISMATCH)    \
  CODE(DICTIONARY_SAMPLES)     \
  CODE(OUTPUT_LIMIT)           \
  CODE(WINDOW_LIMIT)           \
  CODE(CODEC)                  \
  CODE(PROTOCOL)               \
  CODE(HANDSHAKE)              \
  CODE(IDENTITY)               \
  CODE(PLAINTEXT_REFUSED)      \
  CODE(UNAUTHORIZED)           \
  CODE(LINK_DOWN)              \
  CODE(STREAM_RESET)           \
  CODE(CONNECT)                \
  CODE(NO_ENDPOINT)            \
  CODE(REMOTE)                 \
  CODE(STORAGE_UNAVAILABLE)    \
  CODE(STORAGE)                \
  CODE(STORAGE_CORRUPT)        \
  CODE(POLICY)                 \
  CODE(CLOCK_DRIFT)            \
  CODE(VALUE_TOO_LARGE)        \
  CODE(NOT_BUILT)

namespace dwcp {

enum class ErrorCode : uint8_t {
  kNone,
#define DWCP_ENUMERATE(name) name,
  DWCP_ERROR_CODES(DWCP_ENUMERATE)
#undef DWCP_ENUMERATE
};

/// `ERR_DWCP_...` as JavaScript sees it; an empty string for `kNone`.
constexpr const char* name(ErrorCode code) {
  constexpr const char* kNames[] = {"",
#define DWCP_NAME(name) "ERR_DWCP_" #name,
                                    DWCP_ERROR_CODES(DWCP_NAME)
#undef DWCP_NAME
  };
  return kNames[static_cast<uint8_t>(code)];
}

/// Outcome of a core call. `message` has static storage.
struct [[nodiscard]] Status {
  ErrorCode code = ErrorCode::kNone;
  const char* message = "";

  constexpr bool ok() const { return code == ErrorCode::kNone; }
};

}  // namespace dwcp
