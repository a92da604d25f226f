// See prune.h. Costs are what the columns of many deltas came to, compressed.
#include "core/delta/prune.h"

#include <algorithm>
#include <array>
#include <limits>

namespace dwcp::delta {
namespace {

/// How many copies before one are tried as the one it follows.
constexpr size_t kReach = 8;
/// The two sizes of an operation, and the break it makes in the new bytes, bits.
constexpr float kOpBits = 20;

/// A copy: where it lies, how far it could reach back, and what the best way to it costs.
struct Node {
  uint32_t start;  // in the content
  uint32_t size;
  uint32_t from;
  uint32_t back;
  float bits;

  size_t end() const { return size_t{start} + size; }
  int64_t alignment() const { return int64_t{from} - int64_t{start}; }
};

/// The last few copies, by their number; number 0 stands for the copy before them all.
class Nodes {
 public:
  Node& operator[](size_t i) { return ring_[i % ring_.size()]; }

 private:
  std::array<Node, 2 * kReach> ring_{};
};

float offset_bits(int64_t distance) {
  if (distance == 0) return 1;
  const auto magnitude = static_cast<uint64_t>(distance < 0 ? -distance : distance);
  return 10 + static_cast<float>(std::bit_width(magnitude));
}

/// Finds the best way to `nodes[i]` and returns how many copies back it comes from; the ways to
/// those before it are known.
uint8_t find_way(Nodes& nodes, size_t i, float literal_bits) {
  Node& node = nodes[i];
  node.bits = std::numeric_limits<float>::infinity();
  size_t steps = 1;
  for (size_t j = i - std::min(i, kReach); j < i; ++j) {
    const size_t gap = node.start - nodes[j].end();
    const auto fresh = static_cast<float>(gap - std::min<size_t>(gap, node.back));
    const float offset = offset_bits(node.alignment() - nodes[j].alignment());
    const float bits = nodes[j].bits + kOpBits + offset + literal_bits * fresh;
    if (bits >= node.bits) continue;
    node.bits = bits;
    steps = i - j;
  }
  return static_cast<uint8_t>(steps);
}

/// The copy the cheapest way to the end of the content leaves from; `count` is the last.
size_t last_kept(Nodes& nodes, size_t count, size_t content_size, float literal_bits) {
  size_t last = 0;
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = count + 1 - std::min(count + 1, kReach); i <= count; ++i) {
    const auto rest = static_cast<float>(content_size - nodes[i].end());
    const float bits = nodes[i].bits + literal_bits * rest;
    if (bits > least) continue;
    least = bits;
    last = i;
  }
  return last;
}

}  // namespace

bool prune(std::span<const uint8_t> base, std::span<const uint8_t> content, size_t base_end,
           float literal_bits, codec::Column<Op>& ops) {
  const size_t count = ops.size() - (!ops.empty() && ops[ops.size() - 1].copy == 0 ? 1 : 0);
  // To the copy before, on the best way to each; a byte per copy is all that is kept of them.
  codec::Column<uint8_t> column;
  const auto steps = column.extend(count);
  if (column.failed()) return false;
  Nodes nodes;
  nodes[0] = {0, 0, static_cast<uint32_t>(base_end), 0, 0};
  const auto common = [&](size_t from, size_t start, size_t room) {
    return static_cast<uint32_t>(
        simd::common_backward(base.data() + from, content.data() + start, std::min(room, from)));
  };
  size_t at = 0;
  for (size_t i = 1; i <= count; ++i) {
    const Op& op = ops[i - 1];
    const size_t start = at + op.literal;
    const size_t room = start - nodes[i - std::min(i, kReach)].end();
    nodes[i] = {static_cast<uint32_t>(start), op.copy, op.from, common(op.from, start, room), 0};
    steps[i - 1] = find_way(nodes, i, literal_bits);
    at = start + op.copy;
  }
  constexpr uint8_t kDropped = 0;
  for (size_t i = last_kept(nodes, count, content.size(), literal_bits), after = count + 1;;
       i -= steps[i - 1]) {
    for (size_t k = i + 1; k < after; ++k) steps[k - 1] = kDropped;
    after = i;
    if (i == 0) break;
  }
  size_t kept = 0;
  size_t done = 0;
  at = 0;
  for (size_t i = 1; i <= count; ++i) {
    const Op op = ops[i - 1];
    const size_t start = at + op.literal;
    at = start + op.copy;
    if (steps[i - 1] == kDropped) continue;
    const uint32_t back = common(op.from, start, start - done);
    ops[kept++] = {static_cast<uint32_t>(start - done) - back, op.copy + back, op.from - back};
    done = at;
  }
  ops.truncate(kept);
  if (done < content.size()) ops.push({static_cast<uint32_t>(content.size() - done), 0, 0});
  return !ops.failed();
}

}  // namespace dwcp::delta
