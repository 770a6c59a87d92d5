#include "engine/worker/fatal_signals.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/worker/low_priority.h"

namespace supernova::engine::worker {
namespace {

// The handler may use system calls and these only.
std::atomic<uint32_t>* limit_flag = nullptr;
uint64_t page_size = 0;

// What the kernel holds against RLIMIT_DATA: the sixth number of /proc/self/statm, proc(5).
uint64_t data_bytes() {
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[256];
  const ssize_t size = ::read(file, text, sizeof(text));
  ::close(file);
  int fields = 0;
  uint64_t pages = 0;
  for (ssize_t i = 0; i < size; ++i) {
    if (text[i] == ' ') {
      if (++fields == 6) return pages * page_size;
      pages = 0;
    } else if (text[i] >= '0' && text[i] <= '9') {
      pages = pages * 10 + static_cast<uint64_t>(text[i] - '0');
    }
  }
  return 0;
}

// All but an eighth: what was refused may have been large.
bool is_at_memory_limit() {
  struct rlimit most {};
  if (::getrlimit(RLIMIT_DATA, &most) != 0 || most.rlim_cur == RLIM_INFINITY) return false;
  return data_bytes() >= most.rlim_cur - most.rlim_cur / 8;
}

void on_fatal_signal(int signal) {
  if (is_at_memory_limit()) limit_flag->store(1);
  lower_all_if_low();
  ::raise(signal);  // nobody handles it any more
}

}  // namespace

void handle_fatal_signals(std::atomic<uint32_t>& at_memory_limit) {
  limit_flag = &at_memory_limit;
  page_size = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS}) {
    struct sigaction action {};
    action.sa_handler = &on_fatal_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace supernova::engine::worker
