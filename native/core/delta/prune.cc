// See prune.h. Costs are what the columns of many deltas came to, compressed.
#include "core/delta/prune.h"

#include <algorithm>
#include <limits>

namespace dwcp::delta {
namespace {

/// How many copies before one are tried as the one it follows.
constexpr size_t kReach = 8;
/// The two sizes of an operation, and the break it makes in the new bytes, bits.
constexpr float kOpBits = 20;

/// A copy: where it lies, how far it could reach back, and the best way to it.
struct Node {
  uint32_t start;  // in the content
  uint32_t size;
  uint32_t from;
  uint32_t back;
  float bits;
  uint32_t steps;  // to the copy before it on that way

  size_t end() const { return size_t{start} + size; }
  int64_t alignment() const { return int64_t{from} - int64_t{start}; }
};

float offset_bits(int64_t distance) {
  if (distance == 0) return 1;
  const auto magnitude = static_cast<uint64_t>(distance < 0 ? -distance : distance);
  return 10 + static_cast<float>(std::bit_width(magnitude));
}

/// The copies of `ops`, behind one of nothing that stands for the copy before them.
codec::Column<Node> nodes_of(std::span<const Op> ops, size_t base_end) {
  codec::Column<Node> nodes;
  nodes.push({0, 0, static_cast<uint32_t>(base_end), 0, 0, 0});
  size_t at = 0;
  for (const Op& op : ops) {
    at += op.literal;
    if (op.copy == 0) break;
    nodes.push({static_cast<uint32_t>(at), op.copy, op.from, 0, 0, 0});
    at += op.copy;
  }
  return nodes;
}

/// Finds the best way to `nodes[i]`; the ways to those before it are known.
void find_way(codec::Column<Node>& nodes, size_t i, float literal_bits) {
  Node& node = nodes[i];
  node.bits = std::numeric_limits<float>::infinity();
  for (size_t j = i - std::min(i, kReach); j < i; ++j) {
    const size_t gap = node.start - nodes[j].end();
    const auto fresh = static_cast<float>(gap - std::min<size_t>(gap, node.back));
    const float offset = offset_bits(node.alignment() - nodes[j].alignment());
    const float bits = nodes[j].bits + kOpBits + offset + literal_bits * fresh;
    if (bits >= node.bits) continue;
    node.bits = bits;
    node.steps = static_cast<uint32_t>(i - j);
  }
}

/// The copy the cheapest way to the end of the content leaves from.
size_t last_kept(const codec::Column<Node>& nodes, size_t content_size, float literal_bits) {
  size_t last = 0;
  float least = std::numeric_limits<float>::infinity();
  for (size_t i = nodes.size() - std::min(nodes.size(), kReach); i < nodes.size(); ++i) {
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
  codec::Column<Node> nodes = nodes_of(ops.values(), base_end);
  if (nodes.failed()) return false;
  for (size_t i = 1; i < nodes.size(); ++i) {
    Node& node = nodes[i];
    const size_t room = node.start - nodes[i - std::min(i, kReach)].end();
    const size_t back = simd::common_backward(base.data() + node.from, content.data() + node.start,
                                              std::min<size_t>(room, node.from));
    node.back = static_cast<uint32_t>(back);
    find_way(nodes, i, literal_bits);
  }
  // Back along the best way; `back` of what is not on it becomes the mark of being dropped.
  constexpr uint32_t kDropped = UINT32_MAX;
  for (size_t i = last_kept(nodes, content.size(), literal_bits), after = nodes.size();;
       i -= nodes[i].steps) {
    for (size_t k = i + 1; k < after; ++k) nodes[k].back = kDropped;
    after = i;
    if (i == 0) break;
  }
  size_t done = 0;
  ops.clear();
  for (const Node& node : nodes.values().subspan(1)) {
    if (node.back == kDropped) continue;
    const auto back = static_cast<uint32_t>(std::min<size_t>(node.back, node.start - done));
    ops.push({static_cast<uint32_t>(node.start - back - done), node.size + back, node.from - back});
    done = node.end();
  }
  if (done < content.size()) ops.push({static_cast<uint32_t>(content.size() - done), 0, 0});
  return !ops.failed();
}

}  // namespace dwcp::delta
