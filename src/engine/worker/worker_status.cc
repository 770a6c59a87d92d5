#include "engine/worker/worker_status.h"

#include <algorithm>

#include "base/text.h"

namespace supernova::engine::worker {
namespace {

struct Records {
  std::mutex mutex;
  std::vector<std::weak_ptr<WorkerRecord>> list;
};

// Never destroyed: workers may end after main has returned.
Records& records() {
  static auto* const all = new Records;
  return *all;
}

}  // namespace

std::string_view worker_state_name(WorkerState state) {
  switch (state) {
    case WorkerState::kStarting:
      return "starting";
    case WorkerState::kReady:
      return "ready";
    case WorkerState::kWaiting:
      return "waiting";
    case WorkerState::kStopped:
      return "stopped";
  }
  return "";
}

std::shared_ptr<WorkerRecord> add_worker_record(std::string_view name) {
  Records& all = records();
  std::lock_guard lock(all.mutex);
  std::erase_if(all.list, [](const auto& record) { return record.expired(); });
  const auto taken = [&](const std::string& wanted) {
    return std::any_of(all.list.begin(), all.list.end(), [&](const auto& record) {
      const auto held = record.lock();
      return held != nullptr && held->name() == wanted;
    });
  };
  std::string unique(name);
  for (size_t i = 2; taken(unique); ++i) unique = base::str_cat(name, "#", i);
  auto record = std::make_shared<WorkerRecord>(std::move(unique));
  all.list.push_back(record);
  return record;
}

std::vector<std::shared_ptr<const WorkerRecord>> worker_records() {
  Records& all = records();
  std::lock_guard lock(all.mutex);
  std::vector<std::shared_ptr<const WorkerRecord>> held;
  for (const auto& record : all.list) {
    if (auto one = record.lock()) held.push_back(std::move(one));
  }
  return held;
}

Quarantine& process_quarantine() {
  static auto* const quarantine = new Quarantine;
  return *quarantine;
}

}  // namespace supernova::engine::worker
