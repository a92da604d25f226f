// The head of a zstd dictionary (RFC 8878 section 5), made and checked: entropy tables measured on
// records compressed with its content, and the first repeat offsets.
#pragma once

#include "core/codec/context_pool.h"
#include "core/codec/samples.h"
#include "core/error_code.h"

namespace dwcp::codec {

/// Room that the head of any dictionary fits, bytes.
inline constexpr size_t kMaxDictionaryHead = 1024;
/// Least content of a dictionary: what the first repeat offsets need, bytes.
inline constexpr size_t kMinDictionaryContent = 8;

/// Writes the head of a dictionary of `content` to `head`, as far as `written`. `level` is the one
/// records will be compressed at. The id follows from the content.
Status write_dictionary_head(ContextPool& pool, const Samples& samples,
                             std::span<const uint8_t> content, int level, std::span<uint8_t> head,
                             size_t& written);

/// False for a trained dictionary whose tables of lengths leave out the last codes, or that is
/// damaged: zstd's optimal parser (level 13 and up) would price those codes with uninitialised
/// memory. Every trainer describes them all. True for raw content.
bool describes_all_lengths(std::span<const uint8_t> dictionary);

}  // namespace dwcp::codec
