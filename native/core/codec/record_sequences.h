// Writes the sequences of a zstd block: their codes, by tables that are given, and what follows
// each code, as one stream of bits.
#pragma once

#include <cstdint>
#include <span>

#include "core/codec/zstd_internal.h"

namespace dwcp::codec {

/// Tables that have every code of the sequences.
struct SequenceTables {
  const FSE_CTable* literals;
  const FSE_CTable* offsets;
  const FSE_CTable* lengths;
};

/// Writes `sequences`, at least one, whose offsets are below 2^25. The bytes written, 0 when they
/// do not fit.
size_t write_sequences(std::span<const SeqDef> sequences, const SequenceTables& tables,
                       std::span<uint8_t> target, bool bmi2);

}  // namespace dwcp::codec
