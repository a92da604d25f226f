// See uring.h. Memory order follows io_uring(7): heads and tails the other side moves are read with
// acquire, ours are written with release.
#include "core/io/uring.h"

#if DWCP_URING

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace dwcp::io {
namespace {

constexpr uint16_t kIncremental = 2;  // IOU_PBUF_RING_INC

/// `struct io_uring_buf_reg` with the flags newer headers have.
struct BufferRegistration {
  uint64_t ring_address;
  uint32_t ring_entries;
  uint16_t group;
  uint16_t flags;
  uint64_t reserved[3];
};

unsigned load(const unsigned* value) { return __atomic_load_n(value, __ATOMIC_ACQUIRE); }

void* map_memory(size_t size, int fd, off_t offset) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, offset);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

Uring::~Uring() {
  if (entries_ != nullptr) munmap(entries_, entries_size_);
  if (rings_ != nullptr) munmap(rings_, rings_size_);
  if (fd_ >= 0) close(fd_);
}

int Uring::start(unsigned entries, unsigned completions) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP |
                 IORING_SETUP_CQSIZE;
  params.cq_entries = completions;
  fd_ = static_cast<int>(syscall(__NR_io_uring_setup, entries, &params));
  if (fd_ < 0) return -errno;
  constexpr unsigned kNeeded =
      IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL;
  if ((params.features & kNeeded) != kNeeded) return -ENOSYS;
  return map(params);
}

int Uring::map(const io_uring_params& params) {
  const auto& sq = params.sq_off;
  const auto& cq = params.cq_off;
  rings_size_ = std::max<size_t>(sq.array + params.sq_entries * sizeof(unsigned),
                                 cq.cqes + params.cq_entries * sizeof(io_uring_cqe));
  rings_ = map_memory(rings_size_, fd_, IORING_OFF_SQ_RING);
  entries_size_ = params.sq_entries * sizeof(io_uring_sqe);
  entries_ = static_cast<io_uring_sqe*>(map_memory(entries_size_, fd_, IORING_OFF_SQES));
  if (rings_ == nullptr || entries_ == nullptr) return -ENOMEM;
  auto* base = static_cast<uint8_t*>(rings_);
  const auto at = [base](unsigned offset) { return reinterpret_cast<unsigned*>(base + offset); };
  sq_head_ = at(sq.head);
  sq_tail_ = at(sq.tail);
  sq_flags_ = at(sq.flags);
  sq_array_ = at(sq.array);
  sq_mask_ = *at(sq.ring_mask);
  sq_entries_ = params.sq_entries;
  cq_head_ = at(cq.head);
  cq_tail_ = at(cq.tail);
  cq_mask_ = *at(cq.ring_mask);
  completions_ = reinterpret_cast<io_uring_cqe*>(base + cq.cqes);
  for (unsigned i = 0; i < sq_entries_; ++i) sq_array_[i] = i;
  return 0;
}

io_uring_sqe& Uring::entry() {
  // The kernel takes entries at once when they are submitted, so one submit always makes room.
  while (tail_ - load(sq_head_) >= sq_entries_) submit();
  io_uring_sqe& entry = entries_[tail_ & sq_mask_];
  std::memset(&entry, 0, sizeof entry);
  ++tail_;
  return entry;
}

void Uring::submit() {
  if (tail_ == submitted_ && !pending()) return;
  enter(tail_ - submitted_, 0, IORING_ENTER_GETEVENTS, nullptr, 0);
}

void Uring::wait(unsigned count, unsigned timeout_ms) {
  __kernel_timespec timeout{};
  timeout.tv_sec = timeout_ms / 1000;
  timeout.tv_nsec = static_cast<long long>(timeout_ms % 1000) * 1'000'000;
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<uintptr_t>(&timeout);
  enter(tail_ - submitted_, count, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument,
        sizeof argument);
}

int Uring::enter(unsigned to_submit, unsigned wait_for, unsigned flags, void* argument,
                 size_t size) {
  __atomic_store_n(sq_tail_, tail_, __ATOMIC_RELEASE);
  const long taken = syscall(__NR_io_uring_enter, fd_, to_submit, wait_for, flags, argument, size);
  // What the kernel took it tells by the head; a busy or interrupted call is made again later.
  submitted_ = load(sq_head_);
  return taken < 0 ? -errno : static_cast<int>(taken);
}

const io_uring_cqe* Uring::peek() const {
  const unsigned head = *cq_head_;
  return head == load(cq_tail_) ? nullptr : &completions_[head & cq_mask_];
}

void Uring::advance() { __atomic_store_n(cq_head_, *cq_head_ + 1, __ATOMIC_RELEASE); }

bool Uring::pending() const {
  if (peek() != nullptr) return true;
  return (load(sq_flags_) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void Uring::settle() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if ((load(sq_flags_) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) == 0) return;
  enter(tail_ - submitted_, 0, IORING_ENTER_GETEVENTS, nullptr, 0);
}

int Uring::register_opcode(unsigned opcode, void* argument, unsigned count) {
  const long result = syscall(__NR_io_uring_register, fd_, opcode, argument, count);
  return result < 0 ? -errno : static_cast<int>(result);
}

BufferRing::~BufferRing() {
  if (buffers_ != nullptr) munmap(buffers_, size_);
}

int BufferRing::start(Uring& uring, unsigned entries, uint16_t group) {
  size_ = entries * sizeof(io_uring_buf);
  mask_ = entries - 1;
  buffers_ = static_cast<io_uring_buf*>(map_memory(size_, -1, 0));
  if (buffers_ == nullptr) return -ENOMEM;
  BufferRegistration registration{};
  registration.ring_address = reinterpret_cast<uintptr_t>(buffers_);
  registration.ring_entries = entries;
  registration.group = group;
  registration.flags = kIncremental;
  return uring.register_opcode(IORING_REGISTER_PBUF_RING, &registration, 1);
}

void BufferRing::add(uint8_t* data, uint32_t size, uint16_t id) {
  io_uring_buf& buffer = buffers_[tail_ & mask_];
  // Field by field: the tail lies over the last field of the first buffer.
  buffer.addr = reinterpret_cast<uintptr_t>(data);
  buffer.len = size;
  buffer.bid = id;
  ++tail_;
}

void BufferRing::publish() {
  auto* ring = reinterpret_cast<io_uring_buf_ring*>(buffers_);
  __atomic_store_n(&ring->tail, tail_, __ATOMIC_RELEASE);
}

}  // namespace dwcp::io

#endif  // DWCP_URING
