// Trains a zstd dictionary (RFC 8878 section 5) on sample records: several shapes of cover are
// tried on three quarters of them, judged by how small the held-out quarter becomes, and the best
// is built from all. Deterministic: the same samples give the same bytes on every machine.
#pragma once

#include "core/codec/block.h"
#include "core/codec/context_pool.h"
#include "core/codec/samples.h"
#include "core/error_code.h"

namespace dwcp::codec {

/// Bounds of a trained dictionary and of a training set, bytes.
inline constexpr size_t kMinTrainedBytes = 1024;
inline constexpr size_t kMaxTrainedBytes = size_t{1} << 20;
inline constexpr size_t kMaxTrainingBytes = size_t{256} << 20;

struct TrainOptions {
  /// Largest size of the dictionary, from kMinTrainedBytes to kMaxTrainedBytes.
  size_t size_bytes = size_t{64} << 10;
  /// Level that records will be compressed at.
  int level = 3;
};

/// What training found out on the records it held out.
struct TrainReport {
  /// Their size compressed with and without the dictionary.
  size_t with_bytes = 0;
  size_t without_bytes = 0;
};

/// Trains on `samples`, of up to kMaxTrainingBytes. `dictionary` stays without memory when none
/// makes the held-out records smaller.
Status train_dictionary(ContextPool& pool, const Samples& samples, const TrainOptions& options,
                        Block& dictionary, TrainReport& report);

}  // namespace dwcp::codec
