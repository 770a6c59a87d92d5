// Whether somebody still wants an answer. Set by whoever does not (the client has gone); read by
// every stage before it does work, and told to whoever is at work already. Safe from any thread.
#pragma once

#include <atomic>
#include <mutex>

namespace supernova::tensor {

class Cancellation {
 public:
  // Whoever is to be told. Stays where it is while it watches.
  class Watcher {
   public:
    // Called once at most, within cancel(): must be quick and leave every Cancellation alone.
    virtual void on_cancel() = 0;

   protected:
    ~Watcher() = default;

   private:
    friend class Cancellation;
    Watcher* next_ = nullptr;
  };

  void cancel();
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  // False where it was cancelled before: nobody will be told.
  bool watch(Watcher& watcher);
  // When it returns, the watcher is not told any more, nor just now.
  void unwatch(Watcher& watcher);

 private:
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  Watcher* first_ = nullptr;
};

}  // namespace supernova::tensor
