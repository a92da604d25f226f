// What happened, as rows: the half of the engine that JavaScript reads. See engine.h.
#include <algorithm>
#include <utility>

#include "core/io/engine.h"
#include "core/io/row_writer.h"

namespace dwcp::io {

size_t Engine::collect(std::span<Row> rows) {
  ++collects_;
  counters_.wakes += 1;
  // Not before what came earlier was told.
  if (!behind_) {
    budget_.begin();
    backend_->poll();
  }
  behind_ = false;
  budget_.begin();
  RowWriter writer(rows, lent_);
  turn_.swap(news_);
  size_t told = 0;
  for (; told < turn_.size() && !writer.full() && !budget_.spent(); ++told) {
    Connection& connection = *turn_[told];
    connection.listed = false;
    const bool all = tell(connection, writer);
    if (!all) list(connection);
    behind_ |= !all;
    budget_.charge(0);
  }
  behind_ |= told < turn_.size();
  // Those that had no turn go before those listed meanwhile.
  news_.insert(news_.begin(), turn_.begin() + static_cast<ptrdiff_t>(told), turn_.end());
  turn_.clear();
  counters_.rows += static_cast<double>(writer.count());
  publish();
  return writer.count();
}

void Engine::settle(std::span<const Row> rows, std::span<const Command> commands) {
  kept_.resize(pool_.slabs(), 0);
  for (size_t i = 0; i < std::min(lent_.size(), rows.size()); ++i) {
    if (rows[i].slab != kNoSlab || lent_[i] == kNoSlab) continue;
    ++kept_[lent_[i]];
    lent_[i] = kNoSlab;
  }
  // Before the rows give up their memory: one that is forwarded must not lose it.
  for (const Command& command : commands) run(command);
  for (const auto& [slot, generation] : std::exchange(half_closed_, {})) {
    if (Connection* connection = find(slot, generation)) finish(*connection);
  }
  for (const SlabId slab : lent_) {
    if (slab != kNoSlab) pool_.release(slab);
  }
  lent_.clear();
  flush();
}

/// Everything there is to tell of one connection, in order. False when rows or time ran out.
bool Engine::tell(Connection& connection, RowWriter& rows) {
  if (connection.opened_news) {
    if (rows.full()) return false;
    connection.opened_news = false;
    rows.add(connection, RowType::kOpened).length = connection.listener;
  }
  if (connection.phase == Phase::kEnding) return tell_closed(connection, rows);
  if (connection.phase == Phase::kFinishing) drop_input(connection);
  if (connection.tls && !tell_tls(connection, rows)) return false;
  const bool readable = !connection.paused && !connection.lacks(SlabUse::kAssembly);
  if (readable && !tell_input(connection, rows)) return false;
  if (connection.pull && !pull(connection, rows)) return false;
  if (connection.tls && !tell_fault(connection, rows)) return false;
  if (connection.writable_news) {
    if (rows.full()) return false;
    connection.writable_news = false;
    rows.add(connection, RowType::kWritable);
  }
  if (connection.ended && !tell_end(connection, rows)) return false;
  advance(connection);
  return true;
}

bool Engine::tell_input(Connection& connection, RowWriter& rows) {
  auto& input = connection.input;
  const size_t first = connection.input_first;
  while (connection.input_first < input.size()) {
    Piece& piece = input[connection.input_first];
    // One piece at least, or nothing would ever be told after a long time was spent before.
    if (rows.full() || (budget_.spent() && connection.input_first > first)) return false;
    budget_.charge(piece.size);
    if (connection.broken) {
      piece.size = 0;
    } else if (!connection.framed) {
      Row& row = rows.add(connection, RowType::kChunk, piece.slab);
      row.address = pool_.address(piece.slab, piece.data);
      row.length = static_cast<uint32_t>(piece.size);
      ++connection.input_first;  // its share of the slab goes with the row
      continue;
    } else if (!tell_frames(connection, piece, rows)) {
      return false;
    }
    if (piece.size > 0) return true;  // paused, or out of memory, in the middle of it
    pool_.release(piece.slab);
    ++connection.input_first;
  }
  input.clear();
  connection.input_first = 0;
  return true;
}

/// The frames of one piece. False when rows ran out.
bool Engine::tell_frames(Connection& connection, Piece& piece, RowWriter& rows) {
  Unit unit;
  bool begins = connection.reader.at_boundary();
  while (!rows.full()) {
    const ReadStep step = connection.reader.next(piece, pool_, assembly_, unit);
    if (!tell_unit(connection, step, unit, rows)) {
      if (step == ReadStep::kHungry && begins) connection.frame_since = watches_;
      if (step == ReadStep::kBroken) piece.size = 0;
      return true;
    }
    begins = true;
  }
  return piece.size == 0;
}

/// What a step of the reader came to. True when the next one can follow at once.
bool Engine::tell_unit(Connection& connection, ReadStep step, const Unit& unit, RowWriter& rows) {
  if (step == ReadStep::kHungry) return false;
  if (step == ReadStep::kBroken) {
    tell_broken(connection, connection.reader.error(), rows);
    return false;
  }
  if (step == ReadStep::kNoMemory) {
    starve(connection, SlabUse::kAssembly);
    backend_->receive(connection);
    return false;
  }
  if (unit.is_preface) {
    Row& row = rows.add(connection, RowType::kPreface);
    row.stream = unit.preface[0];
    row.length = unit.preface[1];
    // Nothing further until somebody listens.
    connection.paused = true;
    backend_->receive(connection);
    return false;
  }
  const FrameHeader& header = unit.header;
  Row& row = rows.add(connection, RowType::kFrame, unit.payload.slab);
  row.what = pack_what(static_cast<uint8_t>(RowType::kFrame), header.kind, header.channel);
  row.flags = header.flags;
  row.stream = header.stream;
  row.length = header.length;
  if (header.length > 0) row.address = pool_.address(unit.payload.slab, unit.payload.data);
  return true;
}

/// Reads one frame to where it lies and nothing beyond it, for there is no memory to receive into:
/// who has begun one can end it all the same, and who waits for memory holds none. False when rows
/// ran out.
bool Engine::pull(Connection& connection, RowWriter& rows) {
  if (rows.full()) return false;
  connection.pull = false;
  const bool readable = connection.phase == Phase::kOpen && connection.input.empty() &&
                        !connection.paused && !connection.starved;
  FrameReader& reader = connection.reader;
  const bool begins = reader.at_boundary();
  for (bool more = readable; more;) {
    const auto into = reader.room();
    const size_t size = into.empty() ? 0 : read_now(connection, into);
    if (size == 0 && !into.empty()) break;
    Unit unit;
    const ReadStep step = reader.fill(size, pool_, assembly_, unit);
    more = step == ReadStep::kHungry;
    // Under TLS more may have been received, or be left of a record.
    if (tell_unit(connection, step, unit, rows) && connection.has_input()) list(connection);
  }
  if (begins && !reader.at_boundary()) connection.frame_since = watches_;
  backend_->receive(connection);
  return true;
}

size_t Engine::read_now(Connection& connection, std::span<uint8_t> into) {
  // What the kernel still delivers comes first.
  const int socket = connection.receiving || connection.ended ? -1 : connection.fd;
  size_t size = 0;
  if (connection.tls) {
    size = open_into(connection, into, socket);
  } else if (socket >= 0) {
    size = receive_now(connection, into, *this);
    count_in(connection, size);
  }
  budget_.charge(size);
  return size;
}

void Engine::tell_broken(Connection& connection, ErrorCode code, RowWriter& rows) {
  const FrameHeader& header = connection.reader.broken_header();
  connection.broken = true;
  connection.paused = true;
  connection.reader.reset(pool_);
  backend_->receive(connection);
  Row& row = rows.add(connection, RowType::kBroken);
  row.what = pack_what(static_cast<uint8_t>(RowType::kBroken), header.kind, header.channel);
  row.flags = header.flags;
  row.stream = static_cast<uint32_t>(code);
  row.length = header.length;
}

/// The peer's FIN or a failure, after everything that came before it.
bool Engine::tell_end(Connection& connection, RowWriter& rows) {
  if (connection.error != 0) {
    end(connection, connection.error);
    return true;
  }
  if (connection.has_input() && connection.phase == Phase::kOpen) return true;  // paused
  if (!connection.ended_news) return true;
  if (rows.full()) return false;
  connection.ended_news = false;
  if (connection.phase != Phase::kOpen) return true;
  if (connection.framed && !connection.broken && !connection.reader.at_boundary()) {
    connection.broken = true;
    rows.add(connection, RowType::kBroken).stream = static_cast<uint32_t>(ErrorCode::FRAME_CORRUPT);
    connection.ended_news = true;
    return false;
  }
  rows.add(connection, RowType::kEnded);
  // Not before `settle`: answers to what came in this batch still go out.
  half_closed_.push_back({connection.slot, connection.generation});
  return true;
}

bool Engine::tell_closed(Connection& connection, RowWriter& rows) {
  if (!connection.closed_news) return true;  // the kernel has not let go yet
  if (rows.full()) return false;
  rows.add(connection, RowType::kClosed).flags = static_cast<uint32_t>(connection.error);
  connection.closed_news = false;
  mark_left(connection, false);
  connection.phase = Phase::kFree;
  free_slots_.push_back(connection.slot);
  --open_count_;
  return true;
}

}  // namespace dwcp::io
