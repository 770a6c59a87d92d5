#include "schedule/scheduler_core.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace supernova::schedule {
namespace {

// Batches that one drain may run where it is called; the rest is for the pool.
constexpr int kBatchesHere = 4;
constexpr size_t kNobody = SIZE_MAX;

uint64_t new_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

thread_local Scheduler::Core::Frame* Scheduler::Core::Frame::innermost = nullptr;

Scheduler::Core::Core(std::vector<ScheduledSession> sessions, const SchedulerOptions& options)
    : options_(options),
      pool_(options.pool != nullptr ? *options.pool : WorkerPool::shared()),
      clock_(options.clock != nullptr ? *options.clock : Clock::steady()),
      id_(new_id()),
      rules_(options.batching),
      queue_(options),
      cost_(options.inline_limit) {
  SN_CHECK(!sessions.empty());
  size_t possible = 0;
  for (ScheduledSession& given : sessions) {
    auto most = static_cast<size_t>(std::max(given.session->max_concurrency(), 1));
    if (given.limit > 0) most = std::min(most, given.limit);
    possible += most;
    Instance& instance = instances_.emplace_back();
    instance.session = std::move(given.session);
    instance.device = std::move(given.device);
    instance.free = most;
  }
  const size_t wanted =
      options.concurrency > 0 ? options.concurrency : static_cast<size_t>(pool_.threads());
  free_ = std::min(possible, wanted);
}

Scheduler::Core::~Core() {
  // Else close() did.
  if (options_.cache != nullptr && !instances_.empty()) options_.cache->erase(id_);
}

size_t Scheduler::Core::queued() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

Scheduler::Figures Scheduler::Core::figures() const {
  std::lock_guard lock(mutex_);
  Figures figures = figures_;
  figures.queued = queue_.size();
  figures.running = running_;
  figures.cheap = cost_.cheap();
  return figures;
}

std::vector<Scheduler::InstanceFigures> Scheduler::Core::instances() const {
  std::lock_guard lock(mutex_);
  std::vector<InstanceFigures> figures;
  for (const Instance& instance : instances_) {
    figures.push_back({instance.device, instance.runs, instance.lost});
  }
  return figures;
}

void Scheduler::Core::disable_batching(std::string_view reason) {
  {
    std::lock_guard lock(mutex_);
    if (rules_.max_batch_size <= 1) return;
    rules_.max_batch_size = 1;
  }
  SN_LOG(Warning, "requests are run one by one from now on: {}", reason);
}

bool Scheduler::Core::is_idle() const { return queue_.empty() && running_ == 0 && burying_ == 0; }

bool Scheduler::Core::stop() {
  bool submit = false;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    submit = ask_turn();  // for what a DrainScope holds back
  }
  if (submit) pool_.submit(shared_from_this());
  if (Frame::on_this_thread(this)) return false;
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return is_idle(); });
  return true;
}

void Scheduler::Core::close() {
  // A thread of the pool may still hold the empty core for a moment.
  instances_.clear();
  join_memory_.trim();
  if (options_.cache != nullptr) options_.cache->erase(id_);
}

void Scheduler::Core::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
}

bool Scheduler::Core::may_run_here() const {
  return may_start() && cost_.cheap() && queue_.empty() && !Frame::on_this_thread();
}

// The instance with the most room. Those that lost their device only to be tried again, or in turn
// where all have.
size_t Scheduler::Core::pick() const {
  const size_t lost = lost_.load(std::memory_order_relaxed);
  const bool all_lost = lost == instances_.size();
  const auto now = lost > 0 ? clock_.now() : Clock::Point{};
  size_t best = kNobody;
  for (size_t i = 0; i < instances_.size(); ++i) {
    const Instance& instance = instances_[i];
    const bool resting = !all_lost && !instance.lost.empty() && now < instance.try_again;
    if (instance.free == 0 || resting) continue;
    const bool first = best == kNobody;
    const bool better = first || (all_lost ? instance.latest < instances_[best].latest
                                           : instance.free > instances_[best].free);
    if (better) best = i;
  }
  return best;
}

bool Scheduler::Core::may_start() const {
  return free_ > 0 && (lost_.load(std::memory_order_relaxed) == 0 || pick() != kNobody);
}

void Scheduler::Core::enqueue(tensor::Request request, tensor::Completion done) {
  Items one;
  Item& item = one.emplace_back();
  item.request = std::move(request);
  item.done = std::move(done);
  item.queued = clock_.now();
  if (options_.has_batch_dimension) item.rows = rows_of(item.request);
  base::Status refusal = check_alive(item.request, item.queued);
  if (!refusal.ok()) return refuse(item, refusal);
  if (options_.cache != nullptr && answer_from_cache(item)) return;

  const bool here = item.request.may_run_here;
  Batch* batch = nullptr;
  bool submit = false;
  DrainScope* scope = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (here && rules_.max_batch_size > 1) scope = DrainScope::of_this_thread();
    if (stopping_) {
      refusal = absl::UnavailableError(
          base::str_cat("model '", item.request.model_name, "' is being unloaded"));
    } else if (here && scope == nullptr && may_run_here()) {
      batch = start(std::move(one), true);
    } else {
      refusal = queue_.push(one);
      arm(queue_.earliest());
      // Who is refused goes away: a turn asked here would never be submitted.
      submit = refusal.ok() && scope == nullptr && ask_turn();
      if (here && !may_start() && !Frame::on_this_thread()) waits_for_thread_ = true;
    }
  }
  if (!refusal.ok()) return refuse(item, refusal);
  if (scope != nullptr) return scope->add(shared_from_this());
  if (batch != nullptr) {
    run(batch);
    std::unique_lock lock(mutex_);
    // What another thread would have run itself, had this one not been at it: going on takes less
    // than waking a worker.
    if (std::exchange(waits_for_thread_, false)) {
      lock.unlock();
      return drain_here();
    }
    submit = ask_turn();
  }
  if (submit) pool_.submit(shared_from_this());
}

bool Scheduler::Core::answer_from_cache(Item& item) {
  item.cache_key = cache_key(id_, item.request);
  if (!item.cache_key) return false;
  auto outputs = options_.cache->find(*item.cache_key);
  const auto now = clock_.now();
  item.cache_time = now - item.queued;
  options_.cache->count_lookup(item.cache_time);
  if (!outputs) return false;
  tensor::Response response;
  response.id = item.request.id;
  response.outputs = *std::move(outputs);
  tensor::Timing& timing = response.timing;
  timing.queued = timing.started = timing.compute_start = now;
  timing.compute_end = timing.finished = now;
  timing.batch_size = 0;
  timing.items = static_cast<uint32_t>(std::max<size_t>(item.rows, 1));
  timing.first_of_batch = false;
  timing.cache = tensor::Timing::Cache::kHit;
  timing.cache_time = item.cache_time;
  const Frame frame(this);
  item.done(std::move(response));
  return true;
}

Scheduler::Core::Batch* Scheduler::Core::start(Items items, bool here) {
  auto* batch = new Batch;
  batch->core = shared_from_this();
  batch->items = std::move(items);
  batch->here = here;
  batch->sequence = next_sequence_++;
  batch->instance = pick();
  Instance& instance = instances_[batch->instance];
  if (!instance.lost.empty()) instance.try_again = clock_.now() + kTryAgain;
  --instance.free;
  ++instance.runs;
  instance.latest = batch->sequence + 1;
  --free_;
  ++running_;
  ++figures_.runs;
  if (here) ++figures_.runs_here;
  if (batch->items.size() > 1) ++figures_.batches;
  link(*batch);
  // What runs here has ended before anybody could look, as a rule (run()).
  if (!here) arm(batch->unwanted_from);
  return batch;
}

Scheduler::Core::Batch* Scheduler::Core::claim(bool here, Items& dead) {
  if (!may_start()) return nullptr;
  const bool busy = running_ > 0 && !stopping_;
  const BatchAction action = queue_.next(rules_, busy, clock_.now(), dead);
  arm(action.kind == BatchAction::Kind::kWait ? std::min(action.until, queue_.earliest())
                                              : queue_.earliest());
  if (!dead.empty()) ++burying_;
  if (action.kind != BatchAction::Kind::kRun) return nullptr;
  return start(queue_.take(action), here);
}

// Whether the caller has to submit this core to the pool.
bool Scheduler::Core::ask_turn() {
  if (turn_asked_ || queue_.empty() || !may_start()) return false;
  return turn_asked_ = true;
}

void Scheduler::Core::arm(Clock::Point when) {
  if (when >= armed_) return;
  armed_ = when;
  clock_.wake_at(when, weak_from_this());
}

void Scheduler::Core::wake() {
  Items dead;
  Batches unwanted;
  bool submit = false;
  {
    std::lock_guard lock(mutex_);
    const auto now = clock_.now();
    if (armed_ <= now) armed_ = Clock::kNever;
    queue_.expire(now, dead);
    arm(std::min(queue_.earliest(), take_unwanted(now, unwanted)));
    if (!dead.empty()) ++burying_;
    submit = ask_turn();
  }
  bury(dead);
  stop_runs(unwanted);
  if (submit) pool_.submit(shared_from_this());
}

void Scheduler::Core::refuse(Item& item, const base::Status& status) {
  const Frame frame(this);
  item.done(status);
}

void Scheduler::Core::bury(Items& dead) {
  if (dead.empty()) return;
  const auto now = clock_.now();
  for (Item& item : dead) refuse(item, death_of(item, now));
  dead.clear();
  std::lock_guard lock(mutex_);
  --burying_;
  if (is_idle()) idle_.notify_all();
}

bool Scheduler::Core::work() {
  Items dead;
  Batch* batch = nullptr;
  bool submit = false;
  {
    std::lock_guard lock(mutex_);
    turn_asked_ = false;
    batch = claim(false, dead);
    submit = batch != nullptr && ask_turn();
  }
  if (submit) pool_.submit(shared_from_this());
  bury(dead);
  if (batch == nullptr) return false;
  run(batch);
  std::lock_guard lock(mutex_);
  return ask_turn();
}

void Scheduler::Core::drain_here() {
  for (int i = 0; i < kBatchesHere; ++i) {
    Items dead;
    Batch* batch = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (cost_.cheap() && !Frame::on_this_thread()) batch = claim(true, dead);
    }
    bury(dead);
    if (batch == nullptr) break;
    run(batch);
  }
  bool submit = false;
  {
    std::lock_guard lock(mutex_);
    submit = ask_turn();
  }
  if (submit) pool_.submit(shared_from_this());
}

}  // namespace supernova::schedule
