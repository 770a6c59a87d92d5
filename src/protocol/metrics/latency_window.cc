#include "protocol/metrics/latency_window.h"

namespace supernova::protocol::metrics {
namespace {

constexpr std::chrono::seconds kLength{60};
constexpr std::chrono::seconds kStep{30};

model::Latencies since(const model::Latencies& now, const model::Latencies& then) {
  return {now.request.since(then.request), now.queue.since(then.queue),
          now.compute_input.since(then.compute_input), now.compute_infer.since(then.compute_infer),
          now.compute_output.since(then.compute_output)};
}

}  // namespace

model::Latencies LatencyWindow::recent(const std::string& key, const model::Latencies& total,
                                       Point now) {
  History& history = histories_[key];
  history.asked = now;
  auto& seen = history.seen;
  // Counts that went down belong to a version that was forgotten and came anew.
  if (!seen.empty() && seen.back().latencies.request.count() > total.request.count()) seen.clear();
  while (seen.size() > 1 && now - seen[1].when >= kLength) seen.pop_front();
  // At the first scrape, all there is.
  model::Latencies answer = seen.empty() ? total : since(total, seen.front().latencies);
  if (seen.empty() || now - seen.back().when >= kStep) seen.push_back({now, total});
  return answer;
}

void LatencyWindow::forget_before(Point point) {
  std::erase_if(histories_, [&](const auto& entry) { return entry.second.asked < point; });
}

}  // namespace supernova::protocol::metrics
