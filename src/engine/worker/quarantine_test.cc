#include "engine/worker/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace supernova::engine::worker {
namespace {

using testing::HasSubstr;
using testing::Optional;

class QuarantineTest : public testing::Test {
 protected:
  Quarantine::Clock::time_point now_{};
  QuarantineLimits limits_;
  Quarantine make() {
    return Quarantine(limits_, [this] { return now_; });
  }
};

TEST_F(QuarantineTest, AModelMayCrashOnceWhileLoading) {
  Quarantine quarantine = make();
  EXPECT_TRUE(quarantine.empty());
  quarantine.record_load_crash("a", EndCause::kCrashed, "SIGSEGV");
  EXPECT_EQ(quarantine.model_reason("a"), std::nullopt);
  quarantine.record_load_crash("a", EndCause::kTimedOut, "took too long and was ended");
  EXPECT_THAT(quarantine.model_reason("a"), Optional(HasSubstr("took too long and was ended")));
  EXPECT_THAT(quarantine.model_reason("a"), Optional(HasSubstr("quarantined")));
  EXPECT_EQ(quarantine.model_reason("b"), std::nullopt);  // a changed file has another digest
  EXPECT_FALSE(quarantine.empty());
}

TEST_F(QuarantineTest, AnOperatorReleasesAModel) {
  Quarantine quarantine = make();
  for (int i = 0; i < 2; ++i) quarantine.record_load_crash("a", EndCause::kCrashed, "SIGSEGV");
  for (int i = 0; i < 2; ++i) quarantine.record_run_crash("a", 1, EndCause::kCrashed, "SIGSEGV");
  quarantine.release("a");
  EXPECT_EQ(quarantine.model_reason("a"), std::nullopt);
  EXPECT_EQ(quarantine.request_reason("a", 1), std::nullopt);
  EXPECT_TRUE(quarantine.empty());
  quarantine.record_load_crash("a", EndCause::kCrashed, "SIGSEGV");
  EXPECT_EQ(quarantine.model_reason("a"), std::nullopt);
}

TEST_F(QuarantineTest, ALoadThatWorksForgetsEarlierAttempts) {
  Quarantine quarantine = make();
  quarantine.record_load_crash("a", EndCause::kCrashed, "SIGSEGV");
  quarantine.record_load("a");
  EXPECT_TRUE(quarantine.empty());
  quarantine.record_load_crash("a", EndCause::kCrashed, "SIGSEGV");
  EXPECT_EQ(quarantine.model_reason("a"), std::nullopt);
}

TEST_F(QuarantineTest, WhatUsedUpMemoryIsCostlyForAWhile) {
  Quarantine quarantine = make();
  quarantine.record_run_crash("a", 1, EndCause::kCrashed, "SIGSEGV");
  quarantine.record_run_crash("a", 1, EndCause::kTimedOut, "took too long");
  EXPECT_FALSE(quarantine.is_costly(Work::kRun, "a"));
  quarantine.record_run_crash("a", 2, EndCause::kOutOfMemory, "ran out of memory");
  EXPECT_TRUE(quarantine.is_costly(Work::kRun, "a"));
  EXPECT_FALSE(quarantine.is_costly(Work::kLoad, "a"));
  EXPECT_FALSE(quarantine.is_costly(Work::kRun, "b"));
  quarantine.release("a");
  EXPECT_TRUE(quarantine.is_costly(Work::kRun, "a"));  // the file is the same
  EXPECT_TRUE(quarantine.knows("a"));
  now_ += limits_.window + std::chrono::seconds(1);
  EXPECT_FALSE(quarantine.is_costly(Work::kRun, "a"));
}

TEST_F(QuarantineTest, ALoadThatUsedUpMemoryIsCostlyUntilOneWorks) {
  Quarantine quarantine = make();
  quarantine.record_load_crash("a", EndCause::kOutOfMemory, "ran out of memory");
  EXPECT_TRUE(quarantine.is_costly(Work::kLoad, "a"));
  EXPECT_FALSE(quarantine.is_costly(Work::kRun, "a"));
  quarantine.release("a");
  EXPECT_TRUE(quarantine.is_costly(Work::kLoad, "a"));
  quarantine.record_load("a");
  EXPECT_TRUE(quarantine.is_costly(Work::kLoad, "a"));
  quarantine.record_instance("a");
  EXPECT_FALSE(quarantine.is_costly(Work::kLoad, "a"));
  EXPECT_TRUE(quarantine.empty());
}

TEST_F(QuarantineTest, NoMoreThanSoManyAreCostly) {
  limits_.max_models = 3;
  Quarantine quarantine = make();
  for (const char* model : {"a", "b", "c", "d"}) {
    now_ += std::chrono::seconds(1);
    quarantine.record_load_crash(model, EndCause::kOutOfMemory, "ran out of memory");
  }
  EXPECT_FALSE(quarantine.is_costly(Work::kLoad, "a"));
  EXPECT_TRUE(quarantine.is_costly(Work::kLoad, "b"));
  EXPECT_TRUE(quarantine.is_costly(Work::kLoad, "d"));
}

TEST_F(QuarantineTest, OutsideKillsBlameNobody) {
  Quarantine quarantine = make();
  for (int i = 0; i < 100; ++i) {
    quarantine.record_load_crash("a", EndCause::kKilledFromOutside, "killed");
    quarantine.record_run_crash("a", 1, EndCause::kKilledFromOutside, "killed");
    quarantine.record_run_crash("a", 1, EndCause::kStopped, "stopped");
  }
  EXPECT_TRUE(quarantine.empty());
}

TEST_F(QuarantineTest, ARequestThatCrashedTwiceIsRefused) {
  Quarantine quarantine = make();
  quarantine.record_run_crash("a", 7, EndCause::kCrashed, "SIGSEGV");
  EXPECT_EQ(quarantine.request_reason("a", 7), std::nullopt);
  quarantine.record_run_crash("a", 7, EndCause::kCrashed, "SIGABRT");
  EXPECT_THAT(quarantine.request_reason("a", 7), Optional(HasSubstr("SIGABRT")));
  EXPECT_EQ(quarantine.request_reason("a", 8), std::nullopt);
  EXPECT_EQ(quarantine.request_reason("b", 7), std::nullopt);
  EXPECT_EQ(quarantine.model_reason("a"), std::nullopt);
  // From then on: time does not heal.
  now_ += std::chrono::hours(100);
  EXPECT_NE(quarantine.request_reason("a", 7), std::nullopt);
}

TEST_F(QuarantineTest, ManyCrashingRequestsBlameTheModel) {
  Quarantine quarantine = make();
  for (uint64_t request = 0; request < 5; ++request) {
    EXPECT_EQ(quarantine.model_reason("a"), std::nullopt) << request;
    for (int i = 0; i < 2; ++i) {
      quarantine.record_run_crash("a", request, EndCause::kCrashed, "SIGSEGV");
    }
  }
  EXPECT_THAT(quarantine.model_reason("a"), Optional(HasSubstr("5 different requests")));
  EXPECT_EQ(quarantine.model_reason("b"), std::nullopt);
}

TEST_F(QuarantineTest, CrashingRequestsFarApartDont) {
  Quarantine quarantine = make();
  for (uint64_t request = 0; request < 50; ++request) {
    for (int i = 0; i < 2; ++i) {
      quarantine.record_run_crash("a", request, EndCause::kCrashed, "SIGSEGV");
    }
    now_ += limits_.window / 4;
  }
  // Five within the window, counting both ends of it.
  EXPECT_THAT(quarantine.model_reason("a"), Optional(HasSubstr("5 different requests")));
  Quarantine calmer = make();
  for (uint64_t request = 0; request < 50; ++request) {
    for (int i = 0; i < 2; ++i) {
      calmer.record_run_crash("a", request, EndCause::kCrashed, "SIGSEGV");
    }
    now_ += limits_.window / 3;
  }
  EXPECT_EQ(calmer.model_reason("a"), std::nullopt);
}

TEST_F(QuarantineTest, ManyCrashesThatASecondTryMendedBlameTheModelToo) {
  Quarantine quarantine = make();
  for (uint64_t request = 0; request < 20; ++request) {
    EXPECT_EQ(quarantine.model_reason("a"), std::nullopt) << request;
    quarantine.record_run_crash("a", request, EndCause::kOutOfMemory, "ran out of memory");
  }
  EXPECT_THAT(quarantine.model_reason("a"), Optional(HasSubstr("20 times within 600 s")));
}

TEST_F(QuarantineTest, MemoryIsBounded) {
  limits_.max_models = 3;
  limits_.max_requests = 4;
  limits_.run_crashes = 1'000'000;
  limits_.crashing_requests = 1'000'000;
  Quarantine quarantine = make();
  for (int i = 0; i < 2; ++i) quarantine.record_load_crash("held", EndCause::kCrashed, "SIGSEGV");
  for (int i = 0; i < 2; ++i) quarantine.record_run_crash("r", 0, EndCause::kCrashed, "SIGSEGV");
  for (uint64_t i = 1; i < 1000; ++i) {
    quarantine.record_run_crash("r", i, EndCause::kCrashed, "SIGSEGV");
  }
  // What is refused is forgotten last.
  EXPECT_NE(quarantine.request_reason("r", 0), std::nullopt);
  for (int i = 0; i < 1000; ++i) {
    quarantine.record_load_crash(std::to_string(i), EndCause::kCrashed, "SIGSEGV");
  }
  EXPECT_NE(quarantine.model_reason("held"), std::nullopt);
  // A second crash does not count with the first one forgotten.
  quarantine.record_load_crash("0", EndCause::kCrashed, "SIGSEGV");
  EXPECT_EQ(quarantine.model_reason("0"), std::nullopt);
}

TEST_F(QuarantineTest, ManyThreads) {
  limits_.max_models = 8;
  Quarantine quarantine = make();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&quarantine, t] {
      for (int i = 0; i < 1000; ++i) {
        const std::string model = std::to_string(i % 16);
        quarantine.record_load_crash(model, EndCause::kCrashed, "SIGSEGV");
        quarantine.record_run_crash(model, static_cast<uint64_t>(t), EndCause::kCrashed, "SIGSEGV");
        quarantine.model_reason(model);
        quarantine.request_reason(model, static_cast<uint64_t>(t));
        quarantine.record_load(model);
        if (i % 5 == 0) quarantine.release(model);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 16; ++i) quarantine.release(std::to_string(i));
  EXPECT_TRUE(quarantine.empty());
}

}  // namespace
}  // namespace supernova::engine::worker
