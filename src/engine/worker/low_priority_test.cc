#include "engine/worker/low_priority.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

#include "support/child_end.h"

namespace supernova::engine::worker {
namespace {

// Priorities don't rise again.
using testing_support::end_of_child;
using testing_support::exit_code;

int niceness(pid_t thread) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread)); }

TEST(LowPriority, IsOfOneThread) {
  EXPECT_EQ(exit_code(end_of_child([] {
              const int before = niceness(0);
              int low = before;
              std::thread([&] {
                const LowPriority low_here("low");
                low = niceness(0);
              }).join();
              return low == std::min(before + 15, 19) && niceness(0) == before ? 0 : 1;
            })),
            0);
}

TEST(LowPriority, IsOfAllThreadsWhenOneThatHasItEndsTheProcess) {
  EXPECT_EQ(exit_code(end_of_child([] {
              const int before = niceness(0);
              lower_all_if_low();
              if (niceness(0) != before) return 1;
              std::promise<void> end;
              std::promise<pid_t> began;
              std::thread other([&] {
                began.set_value(::gettid());
                end.get_future().wait();
              });
              const pid_t id = began.get_future().get();
              std::thread([] {
                const LowPriority low_here("low");
                lower_all_if_low();
              }).join();
              const int low = std::min(before + 15, 19);
              const bool all = niceness(0) == low && niceness(id) == low;
              end.set_value();
              other.join();
              return all ? 0 : 2;
            })),
            0);
}

}  // namespace
}  // namespace supernova::engine::worker
