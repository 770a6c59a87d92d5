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
