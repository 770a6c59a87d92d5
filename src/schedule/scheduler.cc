#include "schedule/scheduler.h"

namespace supernova::schedule {

Scheduler::Scheduler(std::unique_ptr<engine::Session> session, const SchedulerOptions& options)
    : session_(std::move(session)), options_(options), worker_([this] { work(); }) {}

Scheduler::~Scheduler() { stop(); }

void Scheduler::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (worker_.joinable()) worker_.join();
}

void Scheduler::enqueue(tensor::Request request, tensor::Completion done) {
  bool stopped = false;
  {
    std::lock_guard lock(mutex_);
    stopped = stopping_;
    if (!stopped && queue_.size() < options_.max_queue_size) {
      queue_.push_back({std::move(request), std::move(done), std::chrono::steady_clock::now()});
      wake_.notify_one();
      return;
    }
  }
  if (stopped) {
    done(absl::UnavailableError(
        base::str_cat("model '", request.model_name, "' is being unloaded")));
    return;
  }
  done(absl::UnavailableError(base::str_cat("Exceeds maximum queue size of ",
                                            options_.max_queue_size, " for model '",
                                            request.model_name, "'")));
}

size_t Scheduler::queued() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void Scheduler::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (item.request.cancellation && item.request.cancellation->cancelled()) {
      item.done(absl::CancelledError("the request was cancelled before it ran"));
    } else if (item.request.deadline && *item.request.deadline < std::chrono::steady_clock::now()) {
      item.done(absl::DeadlineExceededError("Request timeout expired"));
    } else {
      running_ = true;  // only this thread sets it, and the worker waits for it below
      const auto started = std::chrono::steady_clock::now();
      session_->run(item.request, [this, queued = item.queued, started,
                                   done = std::move(item.done)](auto result) mutable {
        if (result.ok()) {
          result->timing.queued = queued;
          result->timing.started = started;
        }
        done(std::move(result));
        std::lock_guard finished(mutex_);
        running_ = false;
        wake_.notify_all();
      });
    }
    lock.lock();
    wake_.wait(lock, [this] { return !running_; });
  }
}

}  // namespace supernova::schedule
