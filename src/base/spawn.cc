#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"

extern char** environ;  // NOLINT: POSIX wants it declared by who uses it

namespace supernova::base {
namespace {

// Above every number that a program's descriptors get, so that none is overwritten before it is
// copied.
constexpr int kAbove = 16;

// This process's environment, where `added` overrides what has the same name.
std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool overridden = std::any_of(added.begin(), added.end(), [&](const std::string& a) {
      return std::string_view(a).starts_with(name);
    });
    if (!overridden) all.emplace_back(text);
  }
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

Spawn::Spawn() {
  posix_spawn_file_actions_init(&actions_);
  posix_spawnattr_init(&attributes_);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes_, &none);
  posix_spawnattr_setsigdefault(&attributes_, &all);
  // A group of its own: Ctrl-C is for this process, which ends what it started.
  posix_spawnattr_setpgroup(&attributes_, 0);
  posix_spawnattr_setflags(&attributes_,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions_, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions_, 2, "/dev/null", O_WRONLY, 0);
}

Spawn::~Spawn() {
  posix_spawn_file_actions_destroy(&actions_);
  posix_spawnattr_destroy(&attributes_);
}

Status Spawn::lend(int file, int as) {
  copies_.emplace_back(::fcntl(file, F_DUPFD_CLOEXEC, kAbove));
  if (!copies_.back().is_open()) return system_error("no descriptor for a worker");
  posix_spawn_file_actions_adddup2(&actions_, copies_.back().get(), as);
  last_ = std::max(last_, as);
  return {};
}

Result<pid_t> Spawn::start(const std::string& program, const std::vector<std::string>& arguments,
                           const std::vector<std::string>& environment) {
  posix_spawn_file_actions_addclosefrom_np(&actions_, last_ + 1);
  const std::vector<std::string> all = environment_with(environment);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_,
                                  pointers(arguments).data(), pointers(all).data());
  if (error != 0) {
    return system_error(str_cat("worker '", program, "' can't be started"), error);
  }
  return pid;
}

}  // namespace supernova::base
