#include "engine/worker/low_priority.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace supernova::engine::worker {
namespace {

constexpr int kNicer = 15;  // a thirtieth of the time that another thread gets beside it

// How long it goes on once it has a processor, whoever else wants it meanwhile: a scheduler that
// keeps its promise of a slice (EEVDF) does not take it away for anybody, however nice it is, and
// its own choice is 3 ms. 0.1 ms is the least. Whether it is over the kernel looks only when the
// thread's time is reckoned up: at its ticks, up to 10 ms apart, and when somebody asks for it.
constexpr uint64_t kSlice = 100'000;
constexpr std::chrono::microseconds kAskEvery{200};
constexpr size_t kPacerStack = size_t{64} << 10U;

thread_local bool is_low = false;

// As sched_setattr(2) takes it, its first version.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

// In a signal handler too. Kernels before 6.12 have no slices for such threads.
void set_nice(id_t thread, int nice) {
  SchedulingAttributes attributes{};
  attributes.size = sizeof(attributes);
  attributes.nice = nice;
  attributes.runtime = kSlice;
  if (::syscall(SYS_sched_setattr, thread, &attributes, 0) != 0) {
    ::setpriority(PRIO_PROCESS, thread, nice);
  }
}

// As the kernel fills it in.
struct Entry {
  uint64_t inode;
  int64_t next;
  uint16_t size;
  uint8_t type;
  char name[1];
};

// In a signal handler, so with system calls only.
void lower_all() {
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  const int folder = ::open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  alignas(Entry) char buffer[4096];
  while (true) {
    const int64_t size = ::syscall(SYS_getdents64, folder, buffer, sizeof(buffer));
    if (size <= 0) break;
    for (int64_t at = 0; at < size;) {
      const auto& entry = *reinterpret_cast<const Entry*>(buffer + at);
      id_t thread = 0;
      for (const char* c = buffer + at + offsetof(Entry, name); *c >= '0' && *c <= '9'; ++c) {
        thread = thread * 10 + static_cast<id_t>(*c - '0');
      }
      if (thread != 0) set_nice(thread, nice);
      at += entry.size;
    }
  }
  ::close(folder);
}

}  // namespace

LowPriority::LowPriority(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
  // Before, as its priority must be the higher one to be in time. Its stack counts towards the
  // memory that the worker may have.
  if (::pthread_getcpuclockid(::pthread_self(), &clock_) == 0) {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kPacerStack);
    is_paced_ = ::pthread_create(&pacer_, &attributes, &pace, this) == 0;
    ::pthread_attr_destroy(&attributes);
  }
  // Of this thread alone, other than POSIX says.
  set_nice(0, std::min(::getpriority(PRIO_PROCESS, 0) + kNicer, 19));
  is_low = true;
}

LowPriority::~LowPriority() {
  if (!is_paced_) return;
  {
    std::lock_guard lock(mutex_);
    is_over_ = true;
    changed_.notify_all();
  }
  ::pthread_join(pacer_, nullptr);
}

void* LowPriority::pace(void* self) {
  LowPriority& it = *static_cast<LowPriority*>(self);
  ::pthread_setname_np(::pthread_self(), "pacer");
  std::unique_lock lock(it.mutex_);
  while (!it.changed_.wait_for(lock, kAskEvery, [&] { return it.is_over_; })) {
    timespec time{};
    ::clock_gettime(it.clock_, &time);
  }
  return nullptr;
}

void lower_all_if_low() {
  if (is_low) lower_all();
}

}  // namespace supernova::engine::worker
