// A batch from its run to the answers of its requests.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "schedule/scheduler_core.h"

namespace supernova::schedule {
namespace {

size_t rows_in(const Items& items) {
  size_t rows = 0;
  for (const Item& item : items) rows += std::max<size_t>(item.rows, 1);
  return rows;
}

}  // namespace

void Scheduler::Core::run(Batch* batch) {
  const Frame frame(this);
  engine::Session& session = *instances_[batch->instance].session;
  tensor::Completion done = [batch](base::Result<tensor::Response> result) {
    batch->core->finish(batch, std::move(result));
  };
  batch->started =
      batch->here && batch->items.size() == 1 ? batch->items.front().queued : clock_.now();
  // Whose client goes while the run is in this call, on the client's own thread, nobody notices.
  batch->watched = !batch->here || goes_on_.load(std::memory_order_relaxed);
  if (batch->watched) watch(*batch);
  const Clock::Point unwanted_from = batch->unwanted_from;
  if (batch->items.size() == 1) {
    session.run(batch->items.front().request, std::move(done), &batch->stop);
  } else {
    std::vector<const tensor::Request*> requests;
    for (const Item& item : batch->items) requests.push_back(&item.request);
    auto joined = join(requests, join_memory_);
    if (joined.ok()) {
      if (unwanted_from != Clock::kNever) joined->deadline = unwanted_from;
      session.run(*joined, std::move(done), &batch->stop);
    } else {
      done(joined.status());
    }
  }
  if (batch->open_ends.load() > 1) {
    // It goes on elsewhere.
    goes_on_.store(true, std::memory_order_relaxed);
    if (batch->here && unwanted_from != Clock::kNever) {
      std::lock_guard lock(mutex_);
      arm(unwanted_from);
    }
  }
  end(batch, End::kCall);
}

// The answer of a run, on whatever thread.
void Scheduler::Core::finish(Batch* batch, base::Result<tensor::Response> result) {
  const Frame frame(this);
  if (batch->watched) unwatch(*batch);
  batch->took = result.ok() ? result->timing.compute_end - result->timing.compute_start
                            : clock_.now() - batch->started;
  if (move_elsewhere(*batch, result)) {
    deliver(batch->sequence, {});
    return end(batch, End::kAnswer);
  }
  if (batch->items.size() == 1 && !options_.batching.preserve_ordering) {
    Item& item = batch->items.front();
    if (result.ok()) {
      complete(*batch, item, 0, *result);
    } else {
      result = failure_of(*batch, item, result.status());
    }
    Items items = std::move(batch->items);
    items.front().done(std::move(result));
    items.clear();  // before the run ends: it may be what keeps the model's version
    return end(batch, End::kAnswer);
  }
  const uint64_t sequence = batch->sequence;
  Results results = results_of(*batch, std::move(result));
  // None where the requests go back to the queue.
  deliver(sequence, {std::move(batch->items), std::move(results)});
  end(batch, End::kAnswer);
}

// Notes that a run's device is lost, or there again. Whether its requests go to other instances.
bool Scheduler::Core::move_elsewhere(Batch& batch, const base::Result<tensor::Response>& result) {
  const bool unavailable = absl::IsUnavailable(result.status());
  if (!unavailable && (!result.ok() || lost_.load(std::memory_order_relaxed) == 0)) return false;
  const std::string model = batch.items.front().request.model_name;
  std::string device;
  bool changed = false;
  bool moves = false;
  {
    std::lock_guard lock(mutex_);
    Instance& instance = instances_[batch.instance];
    device = instance.device;
    changed = instance.lost.empty() == unavailable;
    if (changed) lost_ += unavailable ? 1 : -1;
    instance.lost = unavailable ? std::string(base::message(result.status())) : "";
    if (unavailable) {
      if (instance.lost.empty()) instance.lost = "it does not say why";
      instance.try_again = clock_.now() + kTryAgain;
      const auto moved = [](const Item& item) { return item.moved; };
      moves = instances_.size() > 1 && std::none_of(batch.items.begin(), batch.items.end(), moved);
    }
    if (moves) {
      for (Item& item : batch.items) item.moved = true;
      figures_.moved += batch.items.size();
      queue_.push_again(batch.items);
    }
  }
  if (changed && unavailable) {
    SN_LOG(Warning, "model '{}': the instance on {} is not available: {}{}", model, device,
           base::message(result.status()), moves ? "; others of the model go on" : "");
  } else if (changed) {
    SN_LOG(Info, "model '{}': the instance on {} is available again", model, device);
  }
  return moves;
}

// Whether the requests of a batch that failed go back to be run one by one: the cause may be one of
// them, or that they were together.
bool Scheduler::Core::run_again(Batch& batch, const base::Status& failure) {
  if (batch.items.size() == 1) return false;
  switch (failure.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
      return false;
    default:
      break;
  }
  for (Item& item : batch.items) item.alone = true;
  std::lock_guard lock(mutex_);
  queue_.push_again(batch.items);
  return true;
}

Scheduler::Core::Results Scheduler::Core::results_of(Batch& batch,
                                                     base::Result<tensor::Response> result) {
  Results results;
  const size_t count = batch.items.size();
  std::vector<std::vector<tensor::Tensor>> parts;
  if (count > 1 && result.ok()) {
    std::vector<size_t> rows;
    for (const Item& item : batch.items) rows.push_back(item.rows);
    auto divided = split(*result, rows);
    if (divided.ok()) {
      parts = *std::move(divided);
    } else {
      disable_batching(base::message(divided.status()));
      result = divided.status();
    }
  }
  if (!result.ok() && run_again(batch, result.status())) return results;
  size_t index = 0;
  for (Item& item : batch.items) {
    if (!result.ok()) {
      results.push_back(failure_of(batch, item, result.status()));
      continue;
    }
    tensor::Response response;
    if (count == 1) {
      response = *std::move(result);
    } else {
      response.id = item.request.id;
      response.parameters = result->parameters;
      response.outputs = std::move(parts[index]);
      response.timing = result->timing;
    }
    complete(batch, item, index, response);
    results.push_back(std::move(response));
    ++index;
  }
  return results;
}

// What the scheduler adds to the answer of an item, the batch's `index`-th.
void Scheduler::Core::complete(const Batch& batch, Item& item, size_t index,
                               tensor::Response& response) {
  tensor::Timing& timing = response.timing;
  timing.queued = item.queued;
  timing.started = batch.started;
  timing.batch_size = static_cast<uint32_t>(rows_in(batch.items));
  timing.items = static_cast<uint32_t>(std::max<size_t>(item.rows, 1));
  timing.first_of_batch = index == 0;
  if (!item.cache_key) return;
  const auto before = clock_.now();
  options_.cache->insert(*item.cache_key, id_, response.outputs);
  timing.cache = tensor::Timing::Cache::kMiss;
  const auto took = clock_.now() - before;
  options_.cache->count_insertion(took);
  timing.cache_time = item.cache_time + took;
}

void Scheduler::Core::deliver(uint64_t sequence, Answer answer) {
  const auto call = [](Answer& answers) {
    auto result = answers.results.begin();
    for (Item& item : answers.items) item.done(std::move(*result++));
  };
  if (!options_.batching.preserve_ordering) return call(answer);
  std::unique_lock lock(mutex_);
  outbox_.emplace(sequence, std::move(answer));
  if (delivering_) return;  // that thread will find it
  delivering_ = true;
  while (!outbox_.empty() && outbox_.begin()->first == next_answer_) {
    auto next = outbox_.extract(outbox_.begin());
    ++next_answer_;
    lock.unlock();
    call(next.mapped());
    next = {};
    lock.lock();
  }
  delivering_ = false;
}

// One of the ends of a run, of which there are two, and one more while it is being stopped; the
// last makes room for the next. The thread of `kCall` owns this core and asks for the next turn
// itself.
void Scheduler::Core::end(Batch* ended, End which) {
  if (ended->open_ends.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::unique_ptr<Batch> batch(ended);
  std::shared_ptr<Core> self = std::move(batch->core);
  std::unique_lock lock(mutex_);
  unlink(*batch);
  // How long one took that was stopped says nothing.
  if (!batch->stop.requested()) cost_.add(batch->took, batch->here);
  ++instances_[batch->instance].free;
  ++free_;
  --running_;
  if (is_idle()) idle_.notify_all();
  const bool submit = which != End::kCall && ask_turn();
  if (!submit && (which == End::kCall || !abandoned_)) {
    // Somebody else owns this core until this lock is open: it must not end here, on a thread that
    // may be the engine's.
    self.reset();
    return;
  }
  lock.unlock();
  if (submit) {
    pool_.submit(std::move(self));
  } else {
    pool_.dispose(std::move(self));
  }
}

}  // namespace supernova::schedule
