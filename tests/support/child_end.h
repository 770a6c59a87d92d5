// For what a process can do only once: that part of a test runs in a child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace supernova::testing_support {

// The wait status of a child that ends with the exit code that `body` returns; a minute at most.
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

// -1 where it ended otherwise.
inline int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
// 0 where it ended otherwise.
inline int end_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

}  // namespace supernova::testing_support
