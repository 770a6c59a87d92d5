#include "engine/worker/low_priority.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <optional>
#include <thread>

#include "base/sanitized.h"

namespace supernova::engine::worker {
namespace {

int niceness(pid_t thread) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread)); }

// How a process ends that does that, as priorities don't rise again.
template <typename Body>
int end_of_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

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

#if !SUPERNOVA_SANITIZED
int end_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

TEST(LowPriority, LeavesTheSignalAsItWas) {
  EXPECT_EQ(end_signal(end_of_child([]() -> int {
              end_at_low_priority();
              std::abort();
            })),
            SIGABRT);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS}) {
    const auto raised_by = [&](bool low) {
      return end_signal(end_of_child([&] {
        end_at_low_priority();
        std::optional<LowPriority> lowered;
        if (low) lowered.emplace("low");
        ::raise(signal);
        return 0;
      }));
    };
    EXPECT_EQ(raised_by(false), signal);
    EXPECT_EQ(raised_by(true), signal);
  }
  EXPECT_EQ(end_signal(end_of_child([] {
              end_at_low_priority();
              const LowPriority low_here("low");
              *static_cast<volatile int*>(nullptr) = 1;
              return 0;
            })),
            SIGSEGV);
}
#endif

}  // namespace
}  // namespace supernova::engine::worker
