// A training set: records one after the other, with their lengths beside. Borrowed; the lengths add
// up to the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dwcp::codec {

struct Samples {
  std::span<const uint8_t> bytes = {};
  std::span<const uint32_t> lengths = {};

  /// Calls `visit(index, record)` for each record.
  template <typename Visit>
  void for_each(Visit visit) const {
    size_t at = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      visit(i, bytes.subspan(at, lengths[i]));
      at += lengths[i];
    }
  }
};

}  // namespace dwcp::codec
