#include "base/usual_priority.h"

#include <pthread.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace supernova::base {
namespace {

// Starts threads for others.
class Starter {
 public:
  void keep() {
    std::lock_guard lock(mutex_);
    if (is_kept_) return;
    std::thread([this] { work(); }).detach();
    is_kept_ = true;
  }

  void run(absl::FunctionRef<void()> task) {
    Order order{task};
    {
      std::unique_lock lock(mutex_);
      if (!is_kept_) {
        lock.unlock();
        return task();
      }
      changed_.wait(lock, [this] { return order_ == nullptr; });
      order_ = &order;
      changed_.notify_all();
      changed_.wait(lock, [&] { return order.was_tried; });
    }
    if (order.thread.joinable()) order.thread.join();
    if (order.thrown) std::rethrow_exception(order.thrown);
  }

 private:
  struct Order {
    absl::FunctionRef<void()> task;
    std::thread thread;
    bool was_tried = false;
    std::exception_ptr thrown;

    void start() noexcept {
      try {
        thread = std::thread([this] {
          try {
            task();
          } catch (...) {
            thrown = std::current_exception();
          }
        });
      } catch (...) {
        thrown = std::current_exception();
      }
    }
  };

  [[noreturn]] void work() {
    ::pthread_setname_np(::pthread_self(), "starter");
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return order_ != nullptr; });
      order_->start();
      order_->was_tried = true;
      order_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_kept_ = false;
  Order* order_ = nullptr;
};

// Never destroyed: its thread does not end.
Starter& starter() {
  static auto* const one = new Starter;
  return *one;
}

}  // namespace

void keep_usual_priority() { starter().keep(); }
void at_usual_priority(absl::FunctionRef<void()> task) { starter().run(task); }

}  // namespace supernova::base
