#include <thread>

#include "load/load.h"

namespace supernova::bench {

base::Result<Outcome> load_calls(const std::function<base::Status()>& once, const Plan& plan) {
  Plan threads = plan;
  threads.threads = plan.connections;
  const Clock::time_point start = Clock::now();
  return on_threads(threads, [&](int thread, int /*connections*/) -> base::Result<Outcome> {
    Pacer pacer(plan, start, 1.0 / plan.connections, static_cast<uint64_t>(thread));
    Recorder recorder(pacer);
    Clock::time_point now = Clock::now();
    while (!pacer.over(now) && now < pacer.end() + plan.timeout) {
      const auto due = pacer.take(now);
      if (!due) {
        std::this_thread::sleep_until(std::min(pacer.due(), pacer.end()));
        now = Clock::now();
        continue;
      }
      const base::Status status = once();
      now = Clock::now();
      if (status.ok()) {
        recorder.success(*due, now);
      } else {
        recorder.failure(*due, now, base::message(status));
      }
    }
    while (const auto due = pacer.take(pacer.end()))
      recorder.failure(*due, now, "not sent in time");
    return recorder.finish();
  });
}

}  // namespace supernova::bench
