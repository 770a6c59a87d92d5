#include "engine/worker/fatal_signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>

#include "base/sanitized.h"
#include "engine/worker/low_priority.h"
#include "support/child_end.h"

#if !SUPERNOVA_SANITIZED  // a sanitizer handles these signals itself
namespace supernova::engine::worker {
namespace {

using testing_support::end_of_child;
using testing_support::end_signal;

class FatalSignals : public testing::Test {
 protected:
  using Flag = std::atomic<uint32_t>;
  // Seen by child and parent.
  FatalSignals()
      : flag_(*new (::mmap(nullptr, sizeof(Flag), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Flag(0)) {}
  ~FatalSignals() override { ::munmap(&flag_, sizeof(Flag)); }

  template <typename Body>
  int end_signal_of(Body body) {
    return end_signal(end_of_child([&] {
      handle_fatal_signals(flag_);
      body();
      return 0;
    }));
  }

  Flag& flag_;
};

TEST_F(FatalSignals, StayWhatTheyWere) {
  EXPECT_EQ(end_signal_of([] { std::abort(); }), SIGABRT);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS}) {
    for (const bool is_low : {false, true}) {
      EXPECT_EQ(end_signal_of([&] {
                  std::optional<LowPriority> low;
                  if (is_low) low.emplace("low");
                  ::raise(signal);
                }),
                signal);
    }
  }
  EXPECT_EQ(end_signal_of([] {
              const LowPriority low("low");
              *static_cast<volatile int*>(nullptr) = 1;
            }),
            SIGSEGV);
  EXPECT_EQ(flag_, 0U);
}

void limit_data(rlim_t most) {
  const struct rlimit limit { most, most };
  ::setrlimit(RLIMIT_DATA, &limit);
}

TEST_F(FatalSignals, SayWhenTheMemoryWasUsedUp) {
  constexpr rlim_t kMost = rlim_t{128} << 20U;
  EXPECT_EQ(end_signal_of([] {
              limit_data(kMost);
              std::abort();
            }),
            SIGABRT);
  EXPECT_EQ(flag_, 0U);
  // Whether it was touched or not.
  EXPECT_EQ(end_signal_of([] {
              limit_data(kMost);
              void* volatile piece = nullptr;  // else a compiler may leave it all out
              do {
                piece = std::malloc(size_t{1} << 20U);
              } while (piece != nullptr);
              std::abort();
            }),
            SIGABRT);
  EXPECT_EQ(flag_, 1U);
}

}  // namespace
}  // namespace supernova::engine::worker
#endif
