// `supernova serve` as a child process.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/status.h"

namespace supernova::bench {

// Keeps the calling thread on one core; -1 does nothing.
void pin_to_core(int core);

class ServerProcess {
 public:
  // Starts the program on `core` (-1 = anywhere) and waits for its ready line.
  static base::Result<ServerProcess> start(const std::string& program,
                                           const std::vector<std::string>& models, int core);
  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;
  ~ServerProcess();  // SIGTERM, then waits

  uint16_t http_port() const { return http_port_; }

 private:
  ServerProcess(pid_t pid, int output) : pid_(pid), output_(output) {}
  base::Status read_ready_line();

  pid_t pid_;
  int output_;  // the child's stdout
  uint16_t http_port_ = 0;
};

}  // namespace supernova::bench
