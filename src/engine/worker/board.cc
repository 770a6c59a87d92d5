#include "engine/worker/board.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace supernova::engine::worker {

void futex_wait(std::atomic<uint32_t>& word, uint32_t value, std::chrono::nanoseconds most) {
  const int64_t left = std::max<int64_t>(most.count(), 0);
  const timespec time{left / 1'000'000'000, left % 1'000'000'000};
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT, value, &time, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word, int count) {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE, count, nullptr, nullptr, 0);
}

}  // namespace supernova::engine::worker
