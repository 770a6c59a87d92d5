// Ending runs early that nobody waits for any more. Whoever cancels a request only sets an alarm
// for this moment; engines are told on the thread of alarms, as they are of deadlines.
#include <algorithm>

#include "schedule/scheduler_core.h"

namespace supernova::schedule {
namespace {

// From when on nobody wants the answer to these.
Clock::Point unwanted_from(const Items& items) {
  Clock::Point latest = Clock::Point::min();
  for (const Item& item : items) {
    const tensor::Request& request = item.request;
    if (request.cancellation != nullptr && request.cancellation->cancelled()) continue;
    latest = std::max(latest, request.deadline.value_or(Clock::kNever));
  }
  return latest;
}

}  // namespace

// With the lock held, as unlink().
void Scheduler::Core::link(Batch& batch) {
  batch.unwanted_from = unwanted_from(batch.items);
  batch.next = batches_;
  if (batches_ != nullptr) batches_->previous = &batch;
  batches_ = &batch;
}

void Scheduler::Core::unlink(Batch& batch) {
  if (batch.next != nullptr) batch.next->previous = batch.previous;
  (batch.previous != nullptr ? batch.previous->next : batches_) = batch.next;
}

// Its requests stay in the batch until unwatch().
void Scheduler::Core::watch(Batch& batch) {
  for (Item& item : batch.items) {
    if (item.request.cancellation == nullptr) continue;
    item.watcher.run = &batch;
    item.watcher.tell = [](void* run) { request_cancelled(*static_cast<Batch*>(run)); };
    if (!item.request.cancellation->watch(item.watcher)) request_cancelled(batch);
  }
}

void Scheduler::Core::unwatch(Batch& batch) {
  for (Item& item : batch.items) {
    if (item.request.cancellation != nullptr) item.request.cancellation->unwatch(item.watcher);
  }
}

void Scheduler::Core::request_cancelled(Batch& batch) {
  const Clock::Point from = unwanted_from(batch.items);
  // Others of its requests may be cancelled at the same time: the earliest stays.
  Clock::Point before = batch.unwanted_from;
  while (from < before && !batch.unwanted_from.compare_exchange_weak(before, from)) {
  }
  if (from >= before) return;
  Core& core = *batch.core;
  core.clock_.wake_at(core.clock_.now(), core.weak_from_this());
}

// With the lock held. Runs to be stopped, which do not end before stop_runs(); returns when there
// may be others.
Clock::Point Scheduler::Core::take_unwanted(Clock::Point now, Batches& unwanted) {
  Clock::Point next = Clock::kNever;
  for (Batch* batch = batches_; batch != nullptr; batch = batch->next) {
    if (batch->stopped) continue;
    const Clock::Point from = batch->unwanted_from;
    if (from > now) {
      next = std::min(next, from);
      continue;
    }
    int ends = batch->open_ends.load();
    while (ends > 0 && !batch->open_ends.compare_exchange_weak(ends, ends + 1)) {
    }
    if (ends == 0) continue;  // it is just ending
    batch->stopped = true;
    ++figures_.stopped;
    unwanted.push_back(batch);
  }
  return next;
}

void Scheduler::Core::stop_runs(const Batches& unwanted) {
  for (Batch* batch : unwanted) {
    batch->stop.request();
    end(batch, End::kStop);
  }
}

base::Status Scheduler::Core::failure_of(const Batch& batch, const Item& item,
                                         const base::Status& status) const {
  if (absl::IsCancelled(status) && batch.stop.requested()) {
    return end_of_run(item.request, clock_.now());
  }
  // An engine that keeps the deadline itself may be the first to notice.
  const auto deadline = item.request.deadline;
  if (absl::IsDeadlineExceeded(status) && deadline && *deadline <= clock_.now()) {
    return end_of_run(item.request, *deadline);
  }
  return status;
}

}  // namespace supernova::schedule
