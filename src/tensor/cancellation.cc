#include "tensor/cancellation.h"

namespace supernova::tensor {

void Cancellation::cancel() {
  std::lock_guard lock(mutex_);
  cancelled_.store(true, std::memory_order_relaxed);
  while (first_ != nullptr) {
    Watcher* const told = first_;
    first_ = told->next_;
    told->on_cancel();
  }
}

bool Cancellation::watch(Watcher& watcher) {
  std::lock_guard lock(mutex_);
  if (cancelled()) return false;
  watcher.next_ = first_;
  first_ = &watcher;
  return true;
}

void Cancellation::unwatch(Watcher& watcher) {
  std::lock_guard lock(mutex_);
  for (Watcher** at = &first_; *at != nullptr; at = &(*at)->next_) {
    if (*at != &watcher) continue;
    *at = watcher.next_;
    return;
  }
}

}  // namespace supernova::tensor
