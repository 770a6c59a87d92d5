// RemoteEngine: what was open is opened in the next worker.
#include <pthread.h>

#include <algorithm>

#include "base/log.h"
#include "engine/worker/remote_engine.h"

namespace supernova::engine::worker {

namespace {

// Models that are opened at the same time take more memory than one after the other, if only for
// the stacks of the threads that do it, which stay.
constexpr uint64_t kMemoryForEach = uint64_t{128} << 20U;

}  // namespace

// What came of it, and why the last of those that are broken is.
struct RemoteEngine::Reopening {
  size_t open = 0;
  std::string broken;
};

// Side by side, but for those that were under way when workers ended over it: they come last, one
// at a time, so that it is known whose doing it is when it happens again. False when the worker has
// ended, or is about to.
bool RemoteEngine::reopen_all(WorkerProcess& worker) {
  std::lock_guard no_closing(reopen_mutex_);
  Models models;
  {
    std::lock_guard lock(mutex_);
    models = models_;
  }
  std::stable_sort(models.begin(), models.end(), [](const auto& a, const auto& b) {
    return a->ends_at_reopening < b->ends_at_reopening;
  });
  const auto suspects = std::find_if(models.begin(), models.end(),
                                     [](const auto& one) { return one->ends_at_reopening > 0; });
  Reopening all;
  if (!reopen_together({models.begin(), suspects}, worker, all)) return false;
  for (auto one = suspects; one != models.end(); ++one) {
    if (!reopen_together({*one}, worker, all)) return false;
  }
  if (device_is_lost_ && all.open == 0 && !all.broken.empty()) {
    // It is not there any more, whatever it is that engines say then.
    worker.end_as_lost(all.broken);
    return false;
  }
  device_is_lost_ = false;
  return true;
}

bool RemoteEngine::reopen_together(const Models& models, WorkerProcess& worker, Reopening& all) {
  std::vector<Reopened> results(models.size(), Reopened::kQuarantined);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    while (!worker.has_ended()) {
      const size_t index = next++;
      if (index >= models.size()) return;
      results[index] = reopen(*models[index], worker);
    }
  };
  std::vector<std::thread> helpers;
  const uint64_t memory = options_.command.memory_byte_size;
  const uint64_t most =
      memory == 0 ? kMaxLoads : std::min<uint64_t>(kMaxLoads, memory / kMemoryForEach);
  for (size_t i = 1; i < std::min<size_t>(models.size(), most); ++i) {
    helpers.emplace_back([&] {
      ::pthread_setname_np(::pthread_self(), "worker-reopens");
      work();
    });
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  bool has_ended = next < models.size();
  for (size_t i = 0; i < models.size(); ++i) {
    switch (results[i]) {
      case Reopened::kOpen:
        ++all.open;
        models[i]->ends_at_reopening = 0;
        break;
      case Reopened::kBroken:
        all.broken = models[i]->broken;
        break;
      case Reopened::kQuarantined:
        break;
      case Reopened::kEnded:
      case Reopened::kTimedOut:
        has_ended = true;
        note_end_at_reopening(
            *models[i], worker.end(),
            {models.size() == 1 || results[i] == Reopened::kTimedOut, all.open > 0});
    }
  }
  return !has_ended;
}

void RemoteEngine::note_end_at_reopening(RemoteModel& model, const WorkerEnd& end,
                                         const Evidence& evidence) {
  ++model.ends_at_reopening;
  if (!evidence.is_certain) return;
  model.is_suspect = true;
  // Whether a device that is gone is its doing is known only where others have got it.
  if (!evidence.others_are_open && !blames(end.cause)) return;
  quarantine_.record_load_crash(model.digest, end.cause, end.reason);
}

RemoteEngine::Reopened RemoteEngine::reopen(RemoteModel& model, WorkerProcess& worker) {
  bool ended = false;
  bool timed_out = false;
  const auto say = [&](const Order& order) -> base::Status {
    std::vector<int> files;
    if (order.file.is_open()) files.push_back(order.file.get());
    const auto start = std::chrono::steady_clock::now();
    const base::Status said =
        worker.call(order.type, order.body, files, options_.load_timeout, &ended).status();
    timed_out = std::chrono::steady_clock::now() - start >= options_.load_timeout;
    if (!ended && absl::IsUnavailable(said)) {
      worker.end_as_lost(base::message(said));
      ended = true;
    }
    return said;
  };
  const auto open = [&]() -> base::Status {
    SN_ASSIGN(const Order order, model_order(model));
    SN_TRY(say(order));
    std::vector<RemoteInstance*> instances;
    {
      std::lock_guard lock(mutex_);
      instances = model.instances;
    }
    for (const RemoteInstance* instance : instances) SN_TRY(say(instance_order(*instance)));
    return {};
  };
  base::Status status = quarantined(model, nullptr);
  const bool is_quarantined = !status.ok();
  if (status.ok()) status = open();
  if (ended) return timed_out ? Reopened::kTimedOut : Reopened::kEnded;
  const std::string why(base::message(status));
  std::lock_guard lock(model.mutex);
  model.broken = status.ok() ? ""
                             : base::str_cat(model.what,
                                             " could not be opened again after its worker had"
                                             " ended: ",
                                             is_quarantined ? why : refused(model, why));
  model.is_broken = !status.ok();
  if (status.ok()) {
    if (model.is_suspect) quarantine_.record_load(model.digest);
    return Reopened::kOpen;
  }
  SN_LOG(Error, "{}", model.broken);
  return is_quarantined ? Reopened::kQuarantined : Reopened::kBroken;
}

}  // namespace supernova::engine::worker
