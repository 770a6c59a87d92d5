#include "schedule/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "support/manual_clock.h"

namespace supernova::schedule {
namespace {

using ::testing::ElementsAre;
using testing_support::ManualClock;

class Turns final : public WorkSource {
 public:
  explicit Turns(std::function<bool()> turn) : turn_(std::move(turn)) {}
  bool work() override { return turn_(); }

 private:
  std::function<bool()> turn_;
};

std::shared_ptr<Turns> turns(std::function<bool()> turn) {
  return std::make_shared<Turns>(std::move(turn));
}

TEST(WorkerPoolTest, ThoseWithWorkTakeTurns) {
  std::vector<std::string> order;
  {
    WorkerPool pool(1);
    std::promise<void> open;
    auto opened = open.get_future().share();
    pool.submit(turns([opened] {
      opened.wait();
      return false;
    }));
    for (const char* name : {"a", "b"}) {
      pool.submit(turns([&order, name, left = 3]() mutable {
        order.emplace_back(name);
        return --left > 0;
      }));
    }
    open.set_value();
  }
  EXPECT_THAT(order, ElementsAre("a", "b", "a", "b", "a", "b"));
}

TEST(WorkerPoolTest, ThreadsComeWithWorkAndStayWithinTheBudget) {
  ManualClock clock;
  WorkerPool pool(3, clock);
  EXPECT_EQ(pool.threads_started(), 1);
  std::promise<void> open;
  auto opened = open.get_future().share();
  std::atomic<int> done{0};
  for (int i = 0; i < 10; ++i) {
    pool.submit(turns([&done, opened] {
      opened.wait();
      ++done;
      return false;
    }));
  }
  EXPECT_EQ(pool.threads_started(), 3);
  open.set_value();
  while (done < 10) std::this_thread::yield();
  EXPECT_EQ(pool.threads_started(), 3);
}

TEST(WorkerPoolTest, SpareThreadsHelpWhileAllAreInLongRuns) {
  ManualClock clock;
  WorkerPool pool(1, clock);
  std::promise<void> open;
  auto opened = open.get_future().share();
  std::promise<void> started;
  pool.submit(turns([&started, opened] {
    started.set_value();
    opened.wait();
    return false;
  }));
  started.get_future().wait();
  std::promise<void> quick;
  pool.submit(turns([&quick] {
    quick.set_value();
    return false;
  }));
  EXPECT_EQ(pool.threads_started(), 1);
  clock.advance(std::chrono::milliseconds(19));
  EXPECT_EQ(pool.threads_started(), 1);
  // The first look may find that a turn was given since the one before.
  for (int i = 0; i < 2; ++i) clock.advance(std::chrono::milliseconds(20));
  quick.get_future().wait();
  // It leaves when nobody waits.
  while (pool.threads_started() > 1) std::this_thread::yield();
  open.set_value();
}

TEST(WorkerPoolTest, DisposesOnAThreadOfItsOwn) {
  std::promise<std::thread::id> where;
  std::shared_ptr<void> object(nullptr,
                               [&where](void*) { where.set_value(std::this_thread::get_id()); });
  WorkerPool pool(1);
  pool.dispose(std::move(object));
  EXPECT_NE(where.get_future().get(), std::this_thread::get_id());
}

TEST(WorkerPoolTest, TheSharedOneHasAThreadPerProcessor) {
  EXPECT_GE(WorkerPool::shared().threads(), 1);
  EXPECT_EQ(&WorkerPool::shared(), &WorkerPool::shared());
}

TEST(ClockTest, AlarmsGoOffInTheirOrder) {
  struct Bell final : Wakeable {
    std::promise<void> rung;
    void wake() override { rung.set_value(); }
  };
  Clock& clock = Clock::steady();
  auto late = std::make_shared<Bell>();
  auto early = std::make_shared<Bell>();
  auto gone = std::make_shared<Bell>();
  const auto now = clock.now();
  clock.wake_at(now + std::chrono::hours(1), late);
  clock.wake_at(now, gone);
  gone.reset();
  clock.wake_at(now + std::chrono::milliseconds(1), early);
  early->rung.get_future().wait();
  EXPECT_GE(clock.now(), now + std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace supernova::schedule
