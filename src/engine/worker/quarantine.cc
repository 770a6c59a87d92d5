#include "engine/worker/quarantine.h"

#include <algorithm>

#include "base/text.h"

namespace supernova::engine::worker {
namespace {

// Forgets the one that was touched longest ago, one under quarantine only when all are.
template <typename Map, typename IsHeld>
void forget_oldest(Map& map, IsHeld is_held) {
  auto oldest = map.begin();
  for (auto it = map.begin(); it != map.end(); ++it) {
    if (std::pair(is_held(it->second), it->second.order) <
        std::pair(is_held(oldest->second), oldest->second.order)) {
      oldest = it;
    }
  }
  if (oldest != map.end()) map.erase(oldest);
}

}  // namespace

Quarantine::Model& Quarantine::touch(const std::string& model_digest) {
  if (!models_.contains(model_digest) && models_.size() >= limits_.max_models) {
    forget_oldest(models_, [](const Model& model) { return !model.reason.empty(); });
  }
  Model& model = models_[model_digest];
  model.order = ++order_;
  recount();
  return model;
}

Quarantine::Request& Quarantine::touch(Model& model, uint64_t request_digest) {
  if (!model.requests.contains(request_digest) && model.requests.size() >= limits_.max_requests) {
    forget_oldest(model.requests, [](const Request& request) { return !request.reason.empty(); });
  }
  Request& request = model.requests[request_digest];
  request.order = ++order_;
  return request;
}

void Quarantine::note_cost(Costly& costly, const std::string& model_digest, EndCause cause) {
  if (cause != EndCause::kOutOfMemory) return;
  const Clock::time_point now = now_();
  std::erase_if(costly, [&](const auto& entry) { return entry.second < now - limits_.window; });
  if (!costly.contains(model_digest) && costly.size() >= limits_.max_models) {
    costly.erase(std::min_element(costly.begin(), costly.end(), [](const auto& a, const auto& b) {
      return a.second < b.second;
    }));
  }
  costly[model_digest] = now;
  recount();
}

bool Quarantine::is_costly(Work work, const std::string& model_digest) const {
  if (empty()) return false;
  std::lock_guard lock(mutex_);
  const Costly& costly = work == Work::kLoad ? costly_loads_ : costly_runs_;
  const auto found = costly.find(model_digest);
  return found != costly.end() && found->second >= now_() - limits_.window;
}

bool Quarantine::knows(const std::string& model_digest) const {
  if (empty()) return false;
  std::lock_guard lock(mutex_);
  return models_.contains(model_digest) || costly_runs_.contains(model_digest);
}

void Quarantine::record_load_crash(const std::string& model_digest, EndCause cause,
                                   std::string reason) {
  if (!blames_when_repeated(cause)) return;
  std::lock_guard lock(mutex_);
  note_cost(costly_loads_, model_digest, cause);
  Model& model = touch(model_digest);
  if (++model.load_crashes < limits_.load_crashes || !model.reason.empty()) return;
  model.reason = base::str_cat("quarantined: it ended its worker ", model.load_crashes,
                               " times while it was loaded (", reason, ")");
}

void Quarantine::record_run_crash(const std::string& model_digest, uint64_t request_digest,
                                  EndCause cause, std::string reason) {
  if (!blames_when_repeated(cause)) return;
  std::lock_guard lock(mutex_);
  note_cost(costly_runs_, model_digest, cause);
  const Clock::time_point now = now_();
  Model& model = touch(model_digest);
  Request& request = touch(model, request_digest);
  if (++request.crashes >= limits_.request_crashes && request.reason.empty()) {
    request.refused_since = now;
    request.reason =
        base::str_cat("this request ended the model's worker ", request.crashes, " times (", reason,
                      ") and is not tried any more; change its content");
  }
  model.run_crashes.push_back(now);
  if (model.run_crashes.size() > static_cast<size_t>(limits_.run_crashes)) {
    model.run_crashes.pop_front();
  }
  judge(model, reason);
}

void Quarantine::judge(Model& model, const std::string& reason) {
  if (!model.reason.empty()) return;
  const Clock::time_point since = now_() - limits_.window;
  const auto refused =
      std::count_if(model.requests.begin(), model.requests.end(), [&](const auto& entry) {
        return !entry.second.reason.empty() && entry.second.refused_since >= since;
      });
  if (refused >= limits_.crashing_requests) {
    model.reason =
        base::str_cat("quarantined: ", refused, " different requests ended its worker within ",
                      limits_.window.count(), " s (the last: ", reason, ")");
    return;
  }
  const auto crashes = std::count_if(model.run_crashes.begin(), model.run_crashes.end(),
                                     [&](Clock::time_point when) { return when >= since; });
  if (crashes >= limits_.run_crashes) {
    model.reason =
        base::str_cat("quarantined: its requests ended its worker ", crashes, " times within ",
                      limits_.window.count(), " s (the last: ", reason, ")");
  }
}

void Quarantine::record_load(const std::string& model_digest) {
  if (empty()) return;
  std::lock_guard lock(mutex_);
  const auto found = models_.find(model_digest);
  if (found != models_.end()) {
    found->second.load_crashes = 0;
    if (found->second.reason.empty() && found->second.requests.empty()) models_.erase(found);
  }
  recount();
}

void Quarantine::record_instance(const std::string& model_digest) {
  if (empty()) return;
  std::lock_guard lock(mutex_);
  costly_loads_.erase(model_digest);
  recount();
}

std::optional<std::string> Quarantine::model_reason(const std::string& model_digest) const {
  if (empty()) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto found = models_.find(model_digest);
  if (found == models_.end() || found->second.reason.empty()) return std::nullopt;
  return found->second.reason;
}

std::optional<std::string> Quarantine::request_reason(const std::string& model_digest,
                                                      uint64_t request_digest) const {
  if (empty()) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto model = models_.find(model_digest);
  if (model == models_.end()) return std::nullopt;
  const auto request = model->second.requests.find(request_digest);
  if (request == model->second.requests.end() || request->second.reason.empty()) {
    return std::nullopt;
  }
  return request->second.reason;
}

void Quarantine::release(const std::string& model_digest) {
  std::lock_guard lock(mutex_);
  models_.erase(model_digest);
  recount();
}

}  // namespace supernova::engine::worker
