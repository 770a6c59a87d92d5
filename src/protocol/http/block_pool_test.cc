#include "protocol/http/block_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

namespace supernova::protocol::http {
namespace {

TEST(BlockPool, BlocksAreApartAndUsedAgain) {
  BlockPool pool;
  std::vector<char*> blocks;
  for (int i = 0; i < 1000; ++i) {
    blocks.push_back(static_cast<char*>(pool.allocate()));
    std::memset(blocks.back(), i, BlockPool::kBlockSize);
  }
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(blocks[i][0], static_cast<char>(i));
    ASSERT_EQ(blocks[i][BlockPool::kBlockSize - 1], static_cast<char>(i));
  }
  const std::set<char*> first(blocks.begin(), blocks.end());
  EXPECT_EQ(first.size(), 1000u);
  for (char* block : blocks) pool.free(block);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(first.count(static_cast<char*>(pool.allocate())), 1u);
}

// Pages given back come again as zeros: only a few blocks may still hold what was in them.
TEST(BlockPool, WhatIsNotUsedReturnsToTheSystem) {
  BlockPool pool;
  std::vector<char*> blocks;
  for (int i = 0; i < 1000; ++i) {
    blocks.push_back(static_cast<char*>(pool.allocate()));
    std::memset(blocks.back(), 'x', BlockPool::kBlockSize);
  }
  for (char* block : blocks) pool.free(block);
  int held = 0;
  for (int i = 0; i < 1000; ++i) held += *static_cast<char*>(pool.allocate()) == 'x' ? 1 : 0;
  EXPECT_GT(held, 0);
  EXPECT_LE(held, 64);
}

TEST(PoolAllocator, OtherSizesComeFromTheHeap) {
  BlockPool pool;
  PoolAllocator<char> allocator(pool);
  char* const block = allocator.allocate(BlockPool::kBlockSize);
  char* const larger = allocator.allocate(3 * BlockPool::kBlockSize);
  std::memset(larger, 1, 3 * BlockPool::kBlockSize);
  allocator.deallocate(larger, 3 * BlockPool::kBlockSize);
  allocator.deallocate(block, BlockPool::kBlockSize);
  EXPECT_EQ(allocator.allocate(BlockPool::kBlockSize), block);
}

}  // namespace
}  // namespace supernova::protocol::http
