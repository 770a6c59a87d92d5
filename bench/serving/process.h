// A server as a child process on a core of its own, and what the system says of it.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace supernova::bench {

// The first and the last core that this process may use; -1 both when there is one only.
struct Cores {
  int server = -1;
  int client = -1;
};
Cores choose_cores();
// Keeps the calling thread, and those it starts later, on one core; -1 does nothing.
void pin_to_core(int core);
// As many open files as the system lets this process and its children have; how many.
uint64_t raise_file_limit();

class Process {
 public:
  // Starts `words` on `core` (-1 = anywhere) with `variables` added to the environment, and waits
  // for its line "ready http=HOST:PORT grpc=HOST:PORT".
  static base::Result<Process> start(std::vector<std::string> words, int core,
                                     const std::map<std::string, std::string>& variables = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();  // SIGTERM, then waits; SIGKILL where that takes 30 s

  const std::string& http() const { return http_; }  // HOST:PORT, "" = none
  const std::string& grpc() const { return grpc_; }
  double ready_seconds() const { return ready_seconds_; }

  double cpu_seconds() const;           // of all its threads, ended ones too
  uint64_t resident_bytes() const;      // VmRSS
  uint64_t voluntary_switches() const;  // of all its threads that live

 private:
  Process(pid_t pid, int output) : pid_(pid), output_(output) {}
  base::Status read_ready_line(const std::string& program);

  pid_t pid_;
  int output_;  // the child's stdout
  std::string http_;
  std::string grpc_;
  double ready_seconds_ = 0;
};

}  // namespace supernova::bench
