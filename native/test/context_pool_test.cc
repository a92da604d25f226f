// Contexts are reused, bounded, and safe to lease from several threads (run under ThreadSanitizer,
// too).
#include "core/codec/context_pool.h"

#include <algorithm>
#include <memory>
#include <thread>

#include "core/codec/zstd_codec.h"
#include "test/check.h"

using dwcp::codec::Block;
using dwcp::codec::ContextPool;

TEST(a_context_comes_back_and_is_reused) {
  ContextPool pool;
  CHECK(pool.idle_bytes() == 0);
  const ZSTD_CCtx* first = pool.compress.lease().get();
  CHECK(first != nullptr);
  CHECK(pool.idle_bytes() > 0);
  CHECK(pool.compress.lease().get() == first);
}

TEST(pieces_of_every_size_are_aligned_and_given_back) {
  constexpr size_t kPages = size_t{128} << 10;
  for (const size_t size : {size_t{1}, size_t{4096}, kPages - 64, kPages, 9 * kPages}) {
    auto* piece = static_cast<uint8_t*>(dwcp::codec::take_piece(nullptr, size));
    CHECK(piece != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(piece) % alignof(dwcp::codec::PieceHead) == 0);
    std::fill_n(piece, size, uint8_t{1});
    dwcp::codec::give_piece(nullptr, piece);
  }
  CHECK(dwcp::codec::take_piece(nullptr, SIZE_MAX) == nullptr);
  dwcp::codec::give_piece(nullptr, nullptr);
}

TEST(large_blocks_of_zeros_are_zeros) {
  for (const size_t size : {size_t{1}, (size_t{2} << 20) - 1, size_t{5} << 20}) {
    const Block used = Block::reserve(size);
    std::fill_n(const_cast<uint8_t*>(used.bytes().data()), size, uint8_t{1});
  }
  for (const size_t size : {size_t{1}, (size_t{2} << 20) - 1, size_t{5} << 20}) {
    const Block block = Block::zeroed(size);
    CHECK(block.bytes().size() == size);
    CHECK(std::ranges::all_of(block.bytes(), [](uint8_t byte) { return byte == 0; }));
  }
}

TEST(leases_out_at_the_same_time_differ) {
  ContextPool pool;
  const auto one = pool.decompress.lease();
  const auto two = pool.decompress.lease();
  CHECK(one.get() != two.get());
  CHECK(pool.idle_bytes() == 0);
}

TEST(no_more_idle_contexts_are_kept_than_the_bound) {
  using Lease = dwcp::codec::FreeList<dwcp::codec::DecompressKind>::Lease;
  ContextPool pool;
  size_t each = 0;
  {
    std::vector<std::unique_ptr<Lease>> leases;
    for (size_t i = 0; i < 3 * dwcp::codec::kMaxIdleContexts; ++i) {
      leases.push_back(std::unique_ptr<Lease>(new Lease(pool.decompress.lease())));
      each = ZSTD_sizeof_DCtx(leases.back()->get());
    }
  }
  CHECK(pool.idle_bytes() == each * dwcp::codec::kMaxIdleContexts);
}

TEST(a_context_that_grew_too_large_is_not_kept) {
  ContextPool pool;
  {
    const auto context = pool.compress.lease();
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 24);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_hashLog, 25);
    uint8_t space[64];
    ZSTD_outBuffer output{space, sizeof space, 0};
    ZSTD_inBuffer input{"x", 1, 0};
    CHECK(!ZSTD_isError(ZSTD_compressStream2(context.get(), &output, &input, ZSTD_e_continue)));
    CHECK(ZSTD_sizeof_CCtx(context.get()) > dwcp::codec::kMaxIdleBytes);
  }
  CHECK(pool.idle_bytes() == 0);
}

TEST(threads_share_a_pool) {
  ContextPool pool;
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&pool, seed] {
      for (uint32_t round = 0; round < 40; ++round) {
        const auto source = dwcp::test::sample(1'000 + 500 * round, seed * 100 + round, 9);
        Block frame;
        CHECK(dwcp::codec::compress(pool, source, {}, frame).ok());
        std::vector<uint8_t> target(source.size());
        CHECK(dwcp::codec::decompress(pool, frame.bytes(), {.size_bytes = source.size()}, target)
                  .ok());
        CHECK(target == source);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(pool.idle_bytes() > 0);
}
