#include "schedule/scheduler.h"

#include "schedule/scheduler_core.h"

namespace supernova::schedule {
namespace {

std::vector<ScheduledSession> alike(std::vector<std::unique_ptr<engine::Session>> sessions) {
  std::vector<ScheduledSession> scheduled;
  for (auto& session : sessions) scheduled.push_back({std::move(session), 0, ""});
  return scheduled;
}

std::vector<ScheduledSession> one(std::unique_ptr<engine::Session> session) {
  std::vector<ScheduledSession> sessions;
  sessions.push_back({std::move(session), 0, ""});
  return sessions;
}

thread_local DrainScope* innermost_scope = nullptr;

}  // namespace

Scheduler::Scheduler(std::vector<ScheduledSession> sessions, const SchedulerOptions& options)
    : core_(std::make_shared<Core>(std::move(sessions), options)) {}

Scheduler::Scheduler(std::vector<std::unique_ptr<engine::Session>> sessions,
                     const SchedulerOptions& options)
    : Scheduler(alike(std::move(sessions)), options) {}

Scheduler::Scheduler(std::unique_ptr<engine::Session> session, const SchedulerOptions& options)
    : Scheduler(one(std::move(session)), options) {}

Scheduler::~Scheduler() {
  if (core_->stop()) {
    core_->close();
  } else {
    core_->abandon();
  }
}

void Scheduler::stop() { (void)core_->stop(); }

void Scheduler::enqueue(tensor::Request request, tensor::Completion done) {
  // The completion may let go of this scheduler.
  const std::shared_ptr<Core> core = core_;
  core->enqueue(std::move(request), std::move(done));
}

const engine::Session& Scheduler::session() const { return core_->session(); }
size_t Scheduler::queued() const { return core_->queued(); }
Scheduler::Figures Scheduler::figures() const { return core_->figures(); }
std::vector<Scheduler::InstanceFigures> Scheduler::instances() const { return core_->instances(); }
void Scheduler::disable_batching(std::string_view reason) { core_->disable_batching(reason); }

DrainScope::DrainScope() : outer_(innermost_scope) { innermost_scope = this; }

DrainScope::~DrainScope() {
  drain();
  innermost_scope = outer_;
}

DrainScope* DrainScope::of_this_thread() { return innermost_scope; }

void DrainScope::add(std::shared_ptr<Scheduler::Core> core) {
  for (const auto& held : held_) {
    if (held == core) return;
  }
  held_.push_back(std::move(core));
}

void DrainScope::drain() {
  if (!draining_.empty()) return;  // called within a completion: the loop below goes on
  // Completions may bring new requests.
  while (!held_.empty()) {
    std::swap(held_, draining_);
    for (const auto& core : draining_) core->drain_here();
    draining_.clear();
  }
}

}  // namespace supernova::schedule
