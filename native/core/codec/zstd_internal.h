// zstd's internal types and entropy coders, of the very sources that are compiled in. What is used
// of them is no interface that upstream keeps: a new version of zstd is looked at first.
#pragma once

extern "C" {
#include <compress/hist.h>
#include <compress/zstd_compress_internal.h>
#include <compress/zstd_compress_literals.h>
#include <compress/zstd_compress_sequences.h>
}

static_assert(ZSTD_VERSION_NUMBER == 10507, "look at what is used of zstd's internals first");
