#include "engine/stop.h"

namespace supernova::engine {

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t) &&
              std::atomic<uint32_t>::is_always_lock_free);

void Stop::request() {
  if (requested_.exchange(1) != 0) return;
  std::lock_guard lock(mutex_);
  if (run_ != nullptr && cancel_ != nullptr) cancel_(instance_, run_);
}

bool Stop::begin(void (*cancel)(sn_instance*, const sn_run*), sn_instance* instance,
                 const sn_run* run) {
  std::lock_guard lock(mutex_);
  if (requested()) return false;
  cancel_ = cancel;
  instance_ = instance;
  run_ = run;
  return true;
}

void Stop::end() {
  std::lock_guard lock(mutex_);
  run_ = nullptr;
}

}  // namespace supernova::engine
