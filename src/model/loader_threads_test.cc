#include "model/loader_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace supernova::model {
namespace {

using std::chrono::milliseconds;

TEST(LoaderThreads, SettleOnceAfterTheirTasks) {
  std::atomic<int> done = 0;
  std::atomic<int> settled = 0;
  std::promise<int> when_settled;
  LoaderThreads threads(
      2,
      [&] {
        if (++settled == 1) when_settled.set_value(done);
      },
      milliseconds(1));
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future();
  for (int i = 0; i < 8; ++i) {
    threads.submit([&] {
      gone.wait();
      ++done;
    });
  }
  go.set_value();
  EXPECT_GT(when_settled.get_future().get(), 0);
  threads.stop();
  EXPECT_EQ(done, 8);
  EXPECT_GE(settled, 1);
}

TEST(LoaderThreads, DoNotSettleWhileATaskRuns) {
  std::atomic<int> settled = 0;
  std::promise<void> go;
  std::promise<void> second;
  LoaderThreads threads(
      2, [&] { ++settled; }, milliseconds(0));
  const std::shared_future<void> gone = go.get_future();
  threads.submit([gone] { gone.wait(); });
  threads.submit([&] { second.set_value(); });
  second.get_future().get();
  // The second thread is idle or about to be, without a wait; the first one is not.
  std::promise<void> third;
  threads.submit([&] { third.set_value(); });
  third.get_future().get();
  EXPECT_EQ(settled, 0);
  go.set_value();
}

// Tasks that wait until they are told to go on.
struct Waiting {
  explicit Waiting(LoaderThreads& threads, int count) {
    for (int i = 0; i < count; ++i) {
      threads.submit([this] {
        const base::LongWait waits;
        const base::LongWait within;
        ++begun;
        gone.wait();
      });
    }
  }
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future();
  std::atomic<int> begun = 0;
};

TEST(LoaderThreads, TasksThatWaitLendTheirPlaces) {
  LoaderThreads threads(2, nullptr, milliseconds(1), milliseconds(1));
  Waiting waiting(threads, 8);
  std::promise<void> other;
  threads.submit([&] { other.set_value(); });
  other.get_future().get();
  while (waiting.begun < 8) std::this_thread::yield();
  // There are as many places as before when they are back.
  waiting.go.set_value();
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  std::promise<void> all;
  for (int i = 0; i < 30; ++i) {
    threads.submit([&, i] {
      const int now = ++at_once;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::yield();
      --at_once;
      if (i == 29) all.set_value();
    });
  }
  all.get_future().get();
  EXPECT_LE(most, 2);
  threads.stop();
}

TEST(LoaderThreads, PlacesAreLentWhenTheWaitIsLongAndToSoManyOnly) {
  std::atomic<bool> ran = false;
  {
    LoaderThreads threads(1, nullptr, milliseconds(1), std::chrono::hours(1));
    Waiting waiting(threads, 1);
    threads.submit([&] { ran = true; });
    std::promise<void> looked;
    while (waiting.begun == 0) std::this_thread::yield();
    EXPECT_FALSE(ran);
    waiting.go.set_value();
    threads.stop();
    EXPECT_TRUE(ran);
  }
  LoaderThreads threads(1, nullptr, milliseconds(1), milliseconds(0));
  constexpr int kMost = static_cast<int>(LoaderThreads::kMaxLent) + 1;
  Waiting waiting(threads, kMost + 3);
  while (waiting.begun < kMost) std::this_thread::yield();
  EXPECT_EQ(waiting.begun, kMost);
  waiting.go.set_value();
  threads.stop();
  EXPECT_EQ(waiting.begun, kMost + 3);
}

TEST(LoaderThreads, EndWithoutHavingSettled) {
  std::atomic<int> settled = 0;
  std::promise<void> done;
  LoaderThreads threads(
      1, [&] { ++settled; }, std::chrono::hours(1));
  threads.submit([&] { done.set_value(); });
  done.get_future().get();
  threads.stop();
  EXPECT_EQ(settled, 0);
}

}  // namespace
}  // namespace supernova::model
