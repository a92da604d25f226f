// zstd's internal types and entropy coders, of the very sources that are compiled in. What is used
// of them is no interface that upstream keeps: a new version of zstd is looked at first.
#pragma once

extern "C" {
#include <compress/hist.h>
#include <compress/zstd_compress_internal.h>
#include <compress/zstd_compress_literals.h>
#include <compress/zstd_compress_sequences.h>
#include <decompress/zstd_ddict.h>
#include <decompress/zstd_decompress_internal.h>

// The two steps of a block in zstd_decompress_block.c that come before its sequences; no header
// has them.
size_t ZSTD_decodeLiteralsBlock_wrapper(ZSTD_DCtx* dctx, const void* src, size_t srcSize, void* dst,
                                        size_t dstCapacity);
size_t ZSTD_decodeSeqHeaders(ZSTD_DCtx* dctx, int* nbSeqPtr, const void* src, size_t srcSize);
}

static_assert(ZSTD_VERSION_NUMBER == 10507, "look at what is used of zstd's internals first");
