#include "base/usual_priority.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace supernova::base {
namespace {

int own_nice() { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); }

TEST(UsualPriority, IsThatOfWhoKeptIt) {
  const int usual = own_nice();
  keep_usual_priority();
  std::thread([&] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), usual + 5), 0);
    keep_usual_priority();  // too late to mean anything
    int started = -1;
    int inherited = -1;
    std::thread outlasting;
    at_usual_priority([&] { outlasting = std::thread([&] { started = own_nice(); }); });
    outlasting.join();
    std::thread([&] { inherited = own_nice(); }).join();
    EXPECT_EQ(started, usual);
    EXPECT_EQ(inherited, usual + 5);
    EXPECT_EQ(own_nice(), usual + 5);
  }).join();
}

TEST(UsualPriority, PassesOnWhatIsThrown) {
  keep_usual_priority();
  EXPECT_THROW(at_usual_priority([] { throw std::runtime_error("no thread"); }),
               std::runtime_error);
  int runs = 0;
  at_usual_priority([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

// One that takes long keeps nobody else waiting.
TEST(UsualPriority, TasksRunSideBySide) {
  keep_usual_priority();
  std::promise<void> end;
  std::thread first([&] { at_usual_priority([&] { end.get_future().wait(); }); });
  std::atomic<int> runs = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 20; ++k) at_usual_priority([&] { ++runs; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 160);
  end.set_value();
  first.join();
}

}  // namespace
}  // namespace supernova::base
