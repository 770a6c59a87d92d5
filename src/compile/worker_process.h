// Runs a program for one job, with a time limit, and says how it ended. The program is started
// without a copy of this process (posix_spawn), in a process group of its own, with no descriptors
// but those it is lent. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace supernova::compile {

struct WorkerCommand {
  std::string program = "/proc/self/exe";  // this very program, also after its file was replaced
  std::vector<std::string> arguments = {"supernova", "import-worker"};  // from argv[0] on
};

// Ends every worker that runs, and those yet to come.
class StopSignal {
 public:
  StopSignal();
  void raise();
  int descriptor() const { return event_.get(); }

 private:
  base::File event_;
};

struct WorkerEnd {
  enum class How { kExited, kSignalled, kTimedOut, kStopped };
  How how = How::kExited;
  int code = 0;       // exit code or signal
  std::string reply;  // what it wrote into the pipe
  std::string said;   // the end of what it wrote to stderr
  uint64_t peak_memory_bytes = 0;
  std::chrono::milliseconds duration{0};
};

// `lent` become the descriptors 3, 5, 6, ... of the worker (4 is the pipe for its reply); -1 leaves
// one out. An error means that it could not be started.
base::Result<WorkerEnd> run_worker(const WorkerCommand& command, const std::vector<int>& lent,
                                   std::chrono::milliseconds timeout, const StopSignal& stop);

}  // namespace supernova::compile
