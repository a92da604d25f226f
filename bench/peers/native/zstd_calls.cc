// libzstd as a C program would use it, one call per function: contexts made once and kept, output
// into the caller's memory. `streamStart` and `streamWrite` are one endless frame with a long
// window, flushed after each value. Arguments are trusted: only the suite calls it. A result below
// 0 is zstd's error.
#include <node_api.h>
#include <zstd.h>

#include <cstddef>
#include <cstdint>

namespace {

struct Bytes {
  void* data = nullptr;
  size_t size = 0;
};

struct Arguments {
  napi_value values[3] = {};

  Arguments(napi_env env, napi_callback_info info) {
    size_t count = 3;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
};

Bytes BytesOf(napi_env env, napi_value value) {
  Bytes bytes;
  napi_get_typedarray_info(env, value, nullptr, &bytes.size, &bytes.data, nullptr, nullptr);
  return bytes;
}

int IntOf(napi_env env, napi_value value) {
  int32_t number = 0;
  napi_get_value_int32(env, value, &number);
  return number;
}

napi_value ResultOf(napi_env env, size_t result) {
  napi_value number = nullptr;
  const double size = ZSTD_isError(result) ? -1 : static_cast<double>(result);
  napi_create_double(env, size, &number);
  return number;
}

ZSTD_CCtx* Compressor() {
  static ZSTD_CCtx* const context = ZSTD_createCCtx();
  return context;
}

// compress(src, dst, level)
napi_value Compress(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Bytes src = BytesOf(env, arguments.values[0]);
  const Bytes dst = BytesOf(env, arguments.values[1]);
  const int level = IntOf(env, arguments.values[2]);
  return ResultOf(env,
                  ZSTD_compressCCtx(Compressor(), dst.data, dst.size, src.data, src.size, level));
}

// decompress(src, dst)
napi_value Decompress(napi_env env, napi_callback_info info) {
  static ZSTD_DCtx* const context = ZSTD_createDCtx();
  const Arguments arguments(env, info);
  const Bytes src = BytesOf(env, arguments.values[0]);
  const Bytes dst = BytesOf(env, arguments.values[1]);
  return ResultOf(env, ZSTD_decompressDCtx(context, dst.data, dst.size, src.data, src.size));
}

ZSTD_CCtx* Stream() {
  static ZSTD_CCtx* const context = ZSTD_createCCtx();
  return context;
}

// streamStart(level, windowLog)
napi_value StreamStart(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  ZSTD_CCtx_reset(Stream(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(Stream(), ZSTD_c_compressionLevel, IntOf(env, arguments.values[0]));
  ZSTD_CCtx_setParameter(Stream(), ZSTD_c_windowLog, IntOf(env, arguments.values[1]));
  return ResultOf(env, ZSTD_CCtx_setParameter(Stream(), ZSTD_c_enableLongDistanceMatching, 1));
}

// streamWrite(src, dst): the bytes a peer needs to have `src`; all of them must fit.
napi_value StreamWrite(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Bytes src = BytesOf(env, arguments.values[0]);
  const Bytes dst = BytesOf(env, arguments.values[1]);
  ZSTD_inBuffer in{src.data, src.size, 0};
  ZSTD_outBuffer out{dst.data, dst.size, 0};
  const size_t left = ZSTD_compressStream2(Stream(), &out, &in, ZSTD_e_flush);
  return ResultOf(env, left == 0 ? out.pos : static_cast<size_t>(-1));
}

napi_value Init(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      {"compress", nullptr, Compress, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"decompress", nullptr, Decompress, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"streamStart", nullptr, StreamStart, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"streamWrite", nullptr, StreamWrite, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}

}  // namespace

NAPI_MODULE(zstd_calls, Init)
