// See scanner.h.
#include "core/delta/scanner.h"

#include <algorithm>

namespace dwcp::delta {
namespace {

/// A match elsewhere must beat an aligned one by this: it costs an offset, bytes.
constexpr size_t kElsewhereCost = 16;
/// A match near must beat an aligned one by this, bytes.
constexpr size_t kNearCost = 8;
/// How far around the end of the copy before a match is near, bytes, and how many are tried.
constexpr size_t kNearBefore = 64;
constexpr size_t kNearBehind = 128;
constexpr size_t kNearTries = 16;
/// Every so many new bytes a near match is looked for; it reaches back over them.
constexpr size_t kNearStep = 3;
/// A near match of this size is taken without asking the index, bytes.
constexpr size_t kSureNear = 256;
/// A change in place is mostly this short, bytes: an aligned match behind it is worth waiting for.
constexpr size_t kShortChange = 8;
/// After this many bytes without a match every further stretch of it makes steps one byte longer: a
/// long match is still met, in its middle, and extended back.
constexpr size_t kPatience = 32 * 1024;
constexpr size_t kMaxStep = 8;

}  // namespace

Scanner::Scanner(const BaseIndex& index, std::span<const uint8_t> base,
                 std::span<const uint8_t> content, const ScanOptions& options)
    : index_(index),
      base_(base),
      content_(content),
      options_(options),
      hash_end_(content.size() < index.block_size() ? 0 : content.size() - index.block_size() + 1) {
}

size_t Scanner::run(size_t from, size_t at) const {
  const size_t limit = std::min(base_.size() - from, content_.size() - at);
  return simd::common_forward(base_.data() + from, content_.data() + at, limit);
}

Scanner::Match Scanner::aligned(size_t at) const {
  const size_t from = at + alignment_;  // wraps to a huge value when it lies before the base
  if (from >= base_.size() || base_.size() - from < 4 || content_.size() - at < 4) return {};
  if (simd::load32(base_.data() + from) != simd::load32(content_.data() + at)) return {};
  const size_t size = run(from, at);
  if (size < options_.min_aligned) return {};
  return {at, size, from};
}

void Scanner::look_around() {
  near_.covered = covered_;
  near_.seen.fill(0);
  const size_t end = covered_ + alignment_;
  near_.first = near_.last = 0;
  if (end > base_.size()) return;
  const size_t first = end - std::min(end, kNearBefore);
  const size_t places = (kNearBefore + kNearBehind) / simd::kFindPlaces;
  const size_t room = (base_.size() - first) / simd::kFindPlaces;
  const size_t last = first + std::min(places, room) * simd::kFindPlaces;
  if (last == first || base_.size() - last < sizeof(uint32_t)) return;
  near_.first = first;
  near_.last = last;
  for (size_t at = first; at < last; ++at) {
    const size_t slot = Near::slot(simd::load32(base_.data() + at));
    near_.seen[slot / 64] |= uint64_t{1} << slot % 64;
  }
}

void Scanner::improve_near(size_t at, Match& best) {
  if (content_.size() - at < sizeof(uint32_t)) return;
  if (near_.covered != covered_) look_around();
  const uint32_t head = simd::load32(content_.data() + at);
  if (!near_.may_contain(head)) return;
  const bool fresh = best.size == 0;
  size_t longest = std::max(options_.min_near - 1, fresh ? 0 : best.size + kNearCost);
  size_t tries = kNearTries;
  for (size_t place = near_.first; place < near_.last && tries > 0; place += simd::kFindPlaces) {
    uint64_t found = simd::find32(base_.data() + place, head);
    for (; found != 0 && tries > 0; found &= found - 1, --tries) {
      const size_t from = place + static_cast<size_t>(std::countr_zero(found));
      const size_t reach = std::min(from, at - covered_);
      const size_t back = simd::common_backward(base_.data() + from, content_.data() + at, reach);
      const size_t size = run(from, at) + back;
      if (size <= longest) continue;
      longest = size;
      best = {at - back, size, from - back};
    }
  }
  if (!fresh || best.size == 0) return;
  for (size_t i = 1; i <= kShortChange && at + i < content_.size(); ++i) {
    if (2 * aligned(at + i).size < best.size) continue;
    best = {};
    return;
  }
}

void Scanner::improve(size_t at, uint64_t hash, Match& best) const {
  const size_t to_beat = best.size == 0 ? 0 : best.size + kElsewhereCost;
  size_t longest = std::max(options_.min_elsewhere, to_beat) - 1;
  const auto places = index_.find(hash);
  for (const uint32_t from : places) {
    if (from != BaseIndex::kNowhere) __builtin_prefetch(base_.data() + from);
  }
  for (const uint32_t from : places) {
    if (from == BaseIndex::kNowhere) continue;
    const size_t ahead = run(from, at);
    if (ahead < index_.block_size()) continue;
    const size_t reach = std::min<size_t>(from, at - covered_);
    const size_t back = simd::common_backward(base_.data() + from, content_.data() + at, reach);
    if (ahead + back <= longest) continue;
    longest = ahead + back;
    best = {at - back, longest, from - back};
  }
}

void Scanner::look_ahead(size_t at) {
  window_.start = at;
  window_.step = std::min(kMaxStep, 1 + (at - covered_) / kPatience);
  const size_t left = (hash_end_ - at + window_.step - 1) / window_.step;
  // A change is mostly short: no more is looked at than there was new so far.
  const size_t wanted = std::clamp(at - covered_, Window::kLeast, Window::kSize);
  const size_t count = std::min(left, wanted);
  window_.end = at + count * window_.step;
  window_.hits = 0;
  for (size_t i = 0; i < count; ++i) {
    window_.hashes[i] = index_.hash(content_.data() + at + i * window_.step);
    index_.prefetch_filter(window_.hashes[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    if (!index_.may_contain(window_.hashes[i])) continue;
    window_.hits |= uint32_t{1} << i;
    index_.prefetch_bucket(window_.hashes[i]);
  }
}

size_t Scanner::next_hit(size_t at, size_t limit) {
  while (at < std::min(hash_end_, limit)) {
    if (at < window_.start || at >= window_.end) look_ahead(at);
    const size_t first = (at - window_.start + window_.step - 1) / window_.step;
    const uint32_t hits = window_.hits >> first;
    if (hits != 0) {
      return window_.start + (first + static_cast<size_t>(std::countr_zero(hits))) * window_.step;
    }
    at = window_.end;
  }
  return content_.size();
}

Scanner::Match Scanner::match_at(size_t& at, size_t stop) {
  const size_t waiting = at - covered_;
  const bool near = waiting <= options_.aligned_reach;
  Match match = near ? aligned(at) : Match{};
  if (match.size >= options_.sure_aligned) return match;
  const bool look_near = near && waiting >= options_.near_after;
  if (look_near && waiting % kNearStep == kNearStep - 1) improve_near(at, match);
  if (match.size >= kSureNear) return match;
  if (match.size == 0 && waiting < options_.ask_after) return match;
  // Only one position in a stride can hit, so a doubtful match waits for the rest of its stride.
  const size_t end = std::min(content_.size(), at + (match.size == 0 ? 1 : index_.stride()));
  // Near a copy every position is looked at anyway: no hit further on may be searched for, again
  // and again.
  const size_t limit = match.size == 0 && !near ? stop : end;
  size_t hit = next_hit(at, limit);
  for (; hit < end; hit = next_hit(hit + 1, limit)) {
    improve(hit, window_.hashes[(hit - window_.start) / window_.step], match);
  }
  if (match.size == 0 && !near) at = std::min(hit, stop) - 1;
  return match;
}

void Scanner::next(const ScanBounds& bounds, codec::Column<Op>& ops) {
  const size_t ops_end = ops.size() + bounds.max_ops;
  size_t literals = 0;
  size_t at = covered_;
  while (at < content_.size() && !ops.failed()) {
    if (ops.size() >= ops_end || literals >= bounds.max_literals) return;
    const size_t stop = std::min(content_.size(), covered_ + bounds.max_literals);
    const Match match = match_at(at, stop);
    if (match.size > 0) {
      literals += match.start - covered_;
      append(match, ops);
      at = covered_;
    } else if (++at == stop) {
      literals += stop - covered_;
      append({stop, 0, 0}, ops);
    }
  }
}

void Scanner::append(const Match& match, codec::Column<Op>& ops) {
  ops.push({static_cast<uint32_t>(match.start - covered_), static_cast<uint32_t>(match.size),
            static_cast<uint32_t>(match.from)});
  if (match.size > 0) alignment_ = match.from - match.start;
  covered_ = match.start + match.size;
}

}  // namespace dwcp::delta
