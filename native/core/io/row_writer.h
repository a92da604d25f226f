// How the engine writes rows: see engine_rows.cc and engine_tls.cc.
#pragma once

#include "core/io/engine.h"

namespace dwcp::io {

/// Fills the span given to `collect`, and remembers which slabs its rows hold.
class Engine::RowWriter {
 public:
  RowWriter(std::span<Row> rows, std::vector<SlabId>& lent) : rows_(rows), lent_(lent) {
    lent_.clear();
  }

  bool full() const { return lent_.size() == rows_.size(); }
  size_t count() const { return lent_.size(); }

  Row& add(const Connection& connection, RowType type, SlabId slab = kNoSlab) {
    Row& row = rows_[lent_.size()];
    row = {connection.slot,
           connection.generation,
           pack_what(static_cast<uint8_t>(type)),
           0,
           0,
           0,
           0,
           slab};
    lent_.push_back(slab);
    return row;
  }

 private:
  std::span<Row> rows_;
  std::vector<SlabId>& lent_;
};

}  // namespace dwcp::io
