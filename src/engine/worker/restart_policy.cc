#include "engine/worker/restart_policy.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace supernova::engine::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kLongestDelay{30'000};
// A worker that has served this long before it crashed has shown that it works. More than the
// longest delay, so that a row of crashes can't be shorter than its own waits.
constexpr milliseconds kLongLived{60'000};

}  // namespace

EndCause classify(int wait_status, const EndEvidence& evidence) {
  if (evidence.timed_out) return EndCause::kTimedOut;
  if (evidence.stopped) return EndCause::kStopped;
  if (evidence.device_lost) return EndCause::kDeviceLost;
  if (evidence.out_of_memory) return EndCause::kOutOfMemory;
  if (!WIFSIGNALED(wait_status)) return EndCause::kCrashed;
  switch (WTERMSIG(wait_status)) {
    case SIGKILL:
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
    case SIGQUIT:
      return EndCause::kKilledFromOutside;
    case SIGXCPU:  // its limit of processor time
      return EndCause::kTimedOut;
    default:
      return EndCause::kCrashed;
  }
}

bool blames(EndCause cause) {
  return cause == EndCause::kCrashed || cause == EndCause::kOutOfMemory ||
         cause == EndCause::kTimedOut;
}

bool blames_when_repeated(EndCause cause) {
  return blames(cause) || cause == EndCause::kDeviceLost;
}

std::string_view end_cause_name(EndCause cause) {
  switch (cause) {
    case EndCause::kCrashed:
      return "crashed";
    case EndCause::kOutOfMemory:
      return "out_of_memory";
    case EndCause::kTimedOut:
      return "timed_out";
    case EndCause::kKilledFromOutside:
      return "killed_from_outside";
    case EndCause::kStopped:
      return "stopped";
    case EndCause::kDeviceLost:
      return "device_lost";
  }
  return "";
}

std::string describe_end(int wait_status, EndCause cause) {
  std::string how;
  if (WIFSIGNALED(wait_status)) {
    const char* name = ::sigabbrev_np(WTERMSIG(wait_status));
    how =
        name != nullptr ? base::str_cat("SIG", name) : base::str_cat("signal ", wait_status & 0x7f);
  } else {
    how = base::str_cat("exit code ", WEXITSTATUS(wait_status));
  }
  switch (cause) {
    case EndCause::kCrashed:
      return how;
    case EndCause::kOutOfMemory:
      return base::str_cat("ran out of memory (", how, ")");
    case EndCause::kTimedOut:
      return "took too long and was ended";
    case EndCause::kKilledFromOutside:
      return base::str_cat("killed from outside (", how, ")");
    case EndCause::kStopped:
      return "was stopped";
    case EndCause::kDeviceLost:
      return "lost its device";
  }
  return how;
}

int next_streak(int consecutive_crashes, EndCause cause, milliseconds lived) {
  if (!blames_when_repeated(cause)) return consecutive_crashes;
  // Far beyond where the delay stops growing; kept from running over.
  return lived >= kLongLived ? 1 : std::min(consecutive_crashes, 1000) + 1;
}

milliseconds restart_delay(int consecutive_crashes) {
  if (consecutive_crashes <= 1) return milliseconds{0};
  const int doublings = std::min(consecutive_crashes - 2, 20);
  return std::min(kLongestDelay, kFirstDelay * (1 << doublings));
}

}  // namespace supernova::engine::worker
