#include "schedule/response_cache.h"

#include <gtest/gtest.h>

#include <thread>

#include "support/row_engine.h"

namespace supernova::schedule {
namespace {

using tensor::Request;
using testing_support::rows_request;

CacheKey key_of(const Request& request, uint64_t owner = 1) { return *cache_key(owner, request); }

TEST(CacheKeyTest, EverythingAnAnswerDependsOn) {
  const Request request = rows_request(1, 1);
  EXPECT_EQ(key_of(request), key_of(rows_request(1, 1)));
  EXPECT_NE(key_of(request), key_of(request, 2));
  EXPECT_NE(key_of(request), key_of(rows_request(1, 2)));
  Request other = request;
  other.inputs[0].shape = {2, 1};
  EXPECT_NE(key_of(request), key_of(other));
  other = request;
  other.inputs[0].data_type = tensor::DataType::kInt32;
  EXPECT_NE(key_of(request), key_of(other));
  other = request;
  other.outputs.emplace_back("z");
  EXPECT_NE(key_of(request), key_of(other));
  other = request;
  other.parameters["p"] = true;
  EXPECT_NE(key_of(request), key_of(other));
  Request number = other;
  number.parameters["p"] = int64_t{1};
  EXPECT_NE(key_of(number), key_of(other));
}

TEST(CacheKeyTest, WhatOnlyTheQueueReadsIsNotInIt) {
  Request other = rows_request(1, 1);
  other.id = "7";
  other.parameters["priority"] = uint64_t{1};
  EXPECT_EQ(key_of(other), key_of(rows_request(1, 1)));
}

TEST(CacheKeyTest, SequencesHaveNone) {
  Request request = rows_request(1, 1);
  request.parameters["sequence_id"] = uint64_t{4};
  EXPECT_FALSE(cache_key(1, request));
}

TEST(ResponseCacheTest, GivesBackWhatWasPutInACopyOfItsOwn) {
  ResponseCache cache(1 << 20);
  const CacheKey key = key_of(rows_request(1, 1));
  EXPECT_FALSE(cache.find(key));
  std::vector<tensor::Tensor> outputs = rows_request(1, 3).inputs;
  cache.insert(key, 1, outputs);
  auto found = cache.find(key);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[0].buffer.view(), outputs[0].buffer.view());
  EXPECT_NE((*found)[0].buffer.data(), outputs[0].buffer.data());
  EXPECT_EQ(cache.figures().hits, 1U);
  EXPECT_EQ(cache.figures().misses, 1U);
  cache.count_lookup(std::chrono::nanoseconds(5));
  cache.count_insertion(std::chrono::nanoseconds(7));
  EXPECT_EQ(cache.figures().lookups.count(), 5);
  EXPECT_EQ(cache.figures().insertions.count(), 7);
  EXPECT_EQ(cache.figures().max_bytes, 1U << 20);
  cache.erase(1);
  EXPECT_FALSE(cache.find(key));
  EXPECT_EQ(cache.figures().bytes, 0U);
  EXPECT_EQ((*found)[0].buffer.view(), outputs[0].buffer.view());
}

TEST(ResponseCacheTest, StaysWithinItsBytesAndKeepsWhatIsAskedFor) {
  ResponseCache cache(10000);
  const auto outputs = rows_request(100, 3).inputs;  // 800 bytes
  const CacheKey wanted = key_of(rows_request(1, -1));
  cache.insert(wanted, 1, outputs);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(cache.find(wanted)) << i;
    cache.insert(key_of(rows_request(1, static_cast<float>(i))), 1, outputs);
    ASSERT_LE(cache.figures().bytes, 10000U);
  }
  EXPECT_GT(cache.figures().evictions, 80U);
  EXPECT_FALSE(cache.find(key_of(rows_request(1, 5))));
  // Larger than the whole: nothing else goes for it.
  const uint64_t entries = cache.figures().entries;
  cache.insert(key_of(rows_request(2, 0)), 1, rows_request(5000, 0).inputs);
  EXPECT_EQ(cache.figures().entries, entries);
}

TEST(ResponseCacheTest, ManyThreads) {
  ResponseCache cache(100000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 300; ++i) {
        const CacheKey key = key_of(rows_request(1, static_cast<float>(i % 50)));
        if (!cache.find(key)) {
          cache.insert(key, static_cast<uint64_t>(t), rows_request(50, 1).inputs);
        }
        if (i % 100 == 99) cache.erase(static_cast<uint64_t>(t));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cache.figures().hits + cache.figures().misses, 1200U);
}

}  // namespace
}  // namespace supernova::schedule
