// Starts another program without a copy of this process (posix_spawn), in a process group of its
// own, with no signal blocked or ignored, and with no descriptors but those it is lent. Its stdin
// and stdout are /dev/null, its stderr too unless it is lent one.
#pragma once

#include <spawn.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace supernova::base {

class Spawn {
 public:
  Spawn();
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  ~Spawn();

  // `file` becomes the descriptor `as` (at most 15) of the program.
  Status lend(int file, int as);
  // `arguments` from argv[0] on. `environment` (NAME=VALUE) is added to this process's own.
  Result<pid_t> start(const std::string& program, const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment = {});

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<File> copies_;
  int last_ = 2;
};

}  // namespace supernova::base
