#include "engine/worker/low_priority.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>

namespace supernova::engine::worker {
namespace {

constexpr int kNicer = 10;  // a tenth of the time that another thread gets beside it

}  // namespace

void lower_priority(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
  // Of this thread alone, other than POSIX says.
  ::setpriority(PRIO_PROCESS, 0, std::min(::getpriority(PRIO_PROCESS, 0) + kNicer, 19));
}

}  // namespace supernova::engine::worker
