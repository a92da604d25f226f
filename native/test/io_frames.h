// Frames to feed to a FrameReader, and a reader that keeps what comes out; for tests and the
// fuzzer.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/io/frame_reader.h"

namespace dwcp::test {

class HeapRegions final : public io::RegionSource {
 public:
  uint8_t* add_region() override {
    regions_.push_back(std::make_unique_for_overwrite<uint8_t[]>(io::kRegionSize));
    return regions_.back().get();
  }

 private:
  std::vector<std::unique_ptr<uint8_t[]>> regions_;
};

struct KeptFrame {
  uint8_t kind;
  uint8_t flags;
  uint16_t channel;
  uint32_t stream;
  std::vector<uint8_t> payload;

  bool operator==(const KeptFrame&) const = default;
};

/// The bytes of a direction, and the frames in them.
struct Frames {
  std::vector<uint8_t> bytes{'D', 'W', 'C', 'P', 1, 1, 0, 0};
  std::vector<KeptFrame> frames;

  void add(size_t size) {
    const auto number = static_cast<uint8_t>(frames.size() + 1);
    KeptFrame frame{1, 0x41, number, number * 7U, std::vector<uint8_t>(size, number)};
    const size_t start = bytes.size();
    bytes.resize(start + io::kHeaderSize);
    bytes.insert(bytes.end(), frame.payload.begin(), frame.payload.end());
    io::write_header({static_cast<uint32_t>(size), 1, 0x41, number, number * 7U}, frame.payload,
                     bytes.data() + start);
    frames.push_back(std::move(frame));
  }
};

/// A reader over pieces in slabs, as a back end makes them.
class Pieces {
 public:
  ~Pieces() { give_back(); }

  /// Reads `bytes` in a slab of their own; the code that broke the link, if any.
  ErrorCode feed(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      const size_t size = std::min(bytes.size(), io::kSlabSize);
      hold(bytes.first(size));
      drain();
      bytes = bytes.subspan(size);
    }
    return reader.error();
  }

  /// Takes bytes in without reading them.
  void hold(std::span<const uint8_t> bytes) {
    release_input();
    if (bytes.empty()) return;
    slab_ = pool.acquire(io::SlabUse::kSend);
    input_ = {slab_, pool.data(slab_), bytes.size()};
    std::memcpy(input_.data, bytes.data(), bytes.size());
  }

  /// Reads until the piece is used up, or no further.
  io::ReadStep drain() {
    io::Unit unit;
    for (;;) {
      const io::ReadStep step = reader.next(input_, pool, arena_, unit);
      if (step != io::ReadStep::kUnit) return step;
      keep(unit);
    }
  }

  /// Reads `bytes` to where they belong, at most `step` at a time.
  ErrorCode place(std::span<const uint8_t> bytes, size_t step) {
    while (!bytes.empty() && reader.error() == ErrorCode::kNone) {
      const auto into = reader.room();
      const size_t size = std::min({bytes.size(), into.size(), step});
      std::memcpy(into.data(), bytes.data(), size);
      bytes = bytes.subspan(size);
      io::Unit unit;
      if (reader.fill(size, pool, arena_, unit) == io::ReadStep::kUnit) keep(unit);
    }
    return reader.error();
  }

  /// Slabs in use after everything was given back.
  size_t give_back() {
    release_input();
    reader.reset(pool);
    arena_.close();
    return pool.used();
  }

  HeapRegions regions;
  io::SlabPool pool{regions, 4 << 20};
  io::FrameReader reader;
  std::vector<KeptFrame> frames;
  int prefaces = 0;

 private:
  void keep(const io::Unit& unit) {
    if (unit.is_preface) {
      ++prefaces;
      return;
    }
    const auto& [data, size] = std::pair(unit.payload.data, unit.payload.size);
    frames.push_back(
        {unit.header.kind, unit.header.flags, unit.header.channel, unit.header.stream, {}});
    if (size > 0) frames.back().payload.assign(data, data + size);
    if (unit.payload.slab != io::kNoSlab) pool.release(unit.payload.slab);
  }

  void release_input() {
    if (slab_ != io::kNoSlab) pool.release(slab_);
    slab_ = io::kNoSlab;
    input_ = {};
  }

  io::SlabArena arena_{pool, io::SlabUse::kAssembly};
  io::SlabId slab_ = io::kNoSlab;
  io::Piece input_;
};

}  // namespace dwcp::test
