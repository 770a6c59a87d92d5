#include "engine/worker/restart_policy.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

namespace supernova::engine::worker {
namespace {

using std::chrono::milliseconds;

constexpr int signalled(int signal) { return signal; }
constexpr int exited(int code) { return code << 8; }

struct End {
  int status;
  EndEvidence evidence;
  EndCause cause;
  const char* described;
};

TEST(RestartPolicyTest, AnEndHasACause) {
  const End table[] = {
      {signalled(SIGSEGV), {}, EndCause::kCrashed, "SIGSEGV"},
      {signalled(SIGABRT), {}, EndCause::kCrashed, "SIGABRT"},
      {signalled(SIGBUS), {}, EndCause::kCrashed, "SIGBUS"},
      {signalled(SIGILL), {}, EndCause::kCrashed, "SIGILL"},
      {signalled(SIGFPE), {}, EndCause::kCrashed, "SIGFPE"},
      {signalled(SIGSYS), {}, EndCause::kCrashed, "SIGSYS"},
      {signalled(SIGSEGV) | 0x80, {}, EndCause::kCrashed, "SIGSEGV"},  // with a core file
      {exited(0), {}, EndCause::kCrashed, "exit code 0"},
      {exited(3), {}, EndCause::kCrashed, "exit code 3"},
      {signalled(SIGKILL), {}, EndCause::kKilledFromOutside, "killed from outside (SIGKILL)"},
      {signalled(SIGTERM), {}, EndCause::kKilledFromOutside, "killed from outside (SIGTERM)"},
      {signalled(SIGINT), {}, EndCause::kKilledFromOutside, "killed from outside (SIGINT)"},
      {signalled(SIGHUP), {}, EndCause::kKilledFromOutside, "killed from outside (SIGHUP)"},
      {signalled(SIGQUIT), {}, EndCause::kKilledFromOutside, "killed from outside (SIGQUIT)"},
      {signalled(SIGXCPU), {}, EndCause::kTimedOut, "took too long and was ended"},
      {signalled(SIGKILL), {.timed_out = true}, EndCause::kTimedOut, "took too long and was ended"},
      {signalled(SIGKILL),
       {.out_of_memory = true},
       EndCause::kOutOfMemory,
       "ran out of memory (SIGKILL)"},
      {signalled(SIGABRT),
       {.out_of_memory = true},
       EndCause::kOutOfMemory,
       "ran out of memory (SIGABRT)"},
      {signalled(SIGKILL), {.stopped = true}, EndCause::kStopped, "was stopped"},
      {exited(0), {.stopped = true}, EndCause::kStopped, "was stopped"},
      {exited(87), {.device_lost = true}, EndCause::kDeviceLost, "lost its device"},
      {signalled(SIGKILL),
       {.device_lost = true, .out_of_memory = true},
       EndCause::kDeviceLost,
       "lost its device"},
      {exited(87), {.stopped = true, .device_lost = true}, EndCause::kStopped, "was stopped"},
      // Killed since it hung while it was to stop.
      {signalled(SIGKILL),
       {.stopped = true, .timed_out = true},
       EndCause::kTimedOut,
       "took too long and was ended"},
  };
  for (const End& end : table) {
    SCOPED_TRACE(end.described);
    EXPECT_EQ(classify(end.status, end.evidence), end.cause);
    EXPECT_EQ(describe_end(end.status, end.cause), end.described);
  }
}

TEST(RestartPolicyTest, OnlyItsOwnDoingBlames) {
  EXPECT_TRUE(blames(EndCause::kCrashed));
  EXPECT_TRUE(blames(EndCause::kOutOfMemory));
  EXPECT_TRUE(blames(EndCause::kTimedOut));
  EXPECT_FALSE(blames(EndCause::kKilledFromOutside));
  EXPECT_FALSE(blames(EndCause::kStopped));
  EXPECT_FALSE(blames(EndCause::kDeviceLost));
  EXPECT_TRUE(blames_when_repeated(EndCause::kDeviceLost));
  EXPECT_TRUE(blames_when_repeated(EndCause::kCrashed));
  EXPECT_FALSE(blames_when_repeated(EndCause::kKilledFromOutside));
}

TEST(RestartPolicyTest, TheDelayDoublesToItsLimit) {
  const std::pair<int, int> table[] = {{-1, 0},     {0, 0},       {1, 0},       {2, 100},
                                       {3, 200},    {4, 400},     {10, 25'600}, {11, 30'000},
                                       {12, 30000}, {1000, 30000}};
  for (const auto& [crashes, delay] : table) {
    EXPECT_EQ(restart_delay(crashes), milliseconds(delay)) << crashes;
  }
}

TEST(RestartPolicyTest, ARowIsOfCrashesOnly) {
  using enum EndCause;
  EXPECT_EQ(next_streak(0, kCrashed, milliseconds(5)), 1);
  EXPECT_EQ(next_streak(1, kOutOfMemory, milliseconds(5)), 2);
  EXPECT_EQ(next_streak(2, kTimedOut, milliseconds(5)), 3);
  EXPECT_EQ(next_streak(3, kDeviceLost, milliseconds(5)), 4);
  EXPECT_EQ(next_streak(3, kKilledFromOutside, milliseconds(5)), 3);
  EXPECT_EQ(next_streak(3, kStopped, milliseconds(5)), 3);
  EXPECT_EQ(next_streak(7, kCrashed, milliseconds(60'000)), 1);
  EXPECT_EQ(next_streak(7, kKilledFromOutside, milliseconds(60'000)), 7);
  EXPECT_LT(next_streak(2'147'483'647, kCrashed, milliseconds(0)), 2000);
}

}  // namespace
}  // namespace supernova::engine::worker
