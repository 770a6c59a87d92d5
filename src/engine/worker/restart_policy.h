// When a worker that ended is started anew, and who is to blame for its end. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace supernova::engine::worker {

enum class EndCause {
  kCrashed,            // by its own doing: a fatal signal, an abort, an exit
  kOutOfMemory,        // at its own limit of memory, or at the machine's
  kTimedOut,           // ended by us: a load or a run took longer than it may
  kKilledFromOutside,  // somebody else's signal; nobody's fault here
  kStopped,            // ended by us, as intended
  kDeviceLost,         // nothing runs on its device any more; another process may have more luck
};
inline constexpr EndCause kEndCauses[] = {EndCause::kCrashed,  EndCause::kOutOfMemory,
                                          EndCause::kTimedOut, EndCause::kKilledFromOutside,
                                          EndCause::kStopped,  EndCause::kDeviceLost};

// What is known beside the wait status.
struct EndEvidence {
  bool stopped = false;        // we asked it to end
  bool device_lost = false;    // its engine said so
  bool timed_out = false;      // we killed it since it took too long
  bool out_of_memory = false;  // it met its limit, or the kernel counted an out-of-memory kill
};

EndCause classify(int wait_status, const EndEvidence& evidence);
// Whether that end says something about the model or request that was worked on.
bool blames(EndCause cause);
// The same where it has come before, with the same model or request alone in its worker: devices
// get lost by themselves, but not that regularly.
bool blames_when_repeated(EndCause cause);
std::string_view end_cause_name(EndCause cause);  // "crashed", "out_of_memory", ...
// "SIGSEGV", "exit code 3", "ran out of memory (SIGKILL)", ...: for messages and logs.
std::string describe_end(int wait_status, EndCause cause);

// Crashes and lost devices in a row after one more end: outside kills and intended ends leave the
// number as it is; a worker that lived long before begins a new row.
int next_streak(int consecutive_crashes, EndCause cause, std::chrono::milliseconds lived);
// How long to wait before the next worker takes over: not at all after the first crash (the hot
// spare), then 100 ms, doubling to 30 s.
std::chrono::milliseconds restart_delay(int consecutive_crashes);

}  // namespace supernova::engine::worker
