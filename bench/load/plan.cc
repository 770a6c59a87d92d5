#include "load/plan.h"

#include <ctime>
#include <thread>
#include <vector>

namespace supernova::bench {
namespace {

// Of all threads: a library's own work for the load too.
double process_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
}

void Outcome::add(const Outcome& other) {
  latencies.add(other.latencies);
  refusals.add(other.refusals);
  errors += other.errors;
  for (const auto& [message, count] : other.messages) messages[message] += count;
  seconds = std::max(seconds, other.seconds);
}

void Outcome::fail(std::string_view message) {
  constexpr size_t kKinds = 16;
  ++errors;
  const auto known = messages.find(std::string(message));
  if (known != messages.end()) {
    ++known->second;
  } else {
    ++messages[messages.size() < kKinds ? std::string(message) : "other errors"];
  }
}

Pacer::Pacer(const Plan& plan, Clock::time_point start, double share, uint64_t stream)
    : gap_(plan.rate > 0 ? 1 / (plan.rate * share) : 0),
      poisson_(plan.poisson),
      from_(start + plan.warmup),
      end_(from_ + plan.duration),
      next_(start),
      random_(plan.seed * 0x9E3779B97F4A7C15U + stream) {
  if (gap_ == 0) return;
  // Threads in step would send in bursts: each starts somewhere in its first gap.
  next_ += poisson_ ? seconds(0) : seconds(gap_ * share * static_cast<double>(stream));
  if (poisson_) advance();
}

void Pacer::advance() {
  const double gap = poisson_ ? std::exponential_distribution<double>(1 / gap_)(random_) : gap_;
  next_ += seconds(gap);
}

std::optional<Clock::time_point> Pacer::take(Clock::time_point now) {
  if (gap_ == 0) {
    if (now >= end_) return std::nullopt;
    return now;
  }
  if (next_ > now || next_ >= end_) return std::nullopt;
  const Clock::time_point due = next_;
  advance();
  return due;
}

bool Pacer::over(Clock::time_point now) const { return gap_ == 0 ? now >= end_ : next_ >= end_; }

bool Recorder::counts(Clock::time_point due, Clock::time_point now) {
  if (due < from_) return false;
  last_ = std::max(last_, now);
  return true;
}

void Recorder::success(Clock::time_point due, Clock::time_point now) {
  if (counts(due, now)) outcome_.latencies.record(now - due);
}

void Recorder::failure(Clock::time_point due, Clock::time_point now, std::string_view message) {
  if (counts(due, now)) outcome_.fail(message);
}

void Recorder::refusal(Clock::time_point due, Clock::time_point now, std::string_view message) {
  if (!counts(due, now)) return;
  outcome_.fail(message);
  outcome_.refusals.record(now - due);
}

Outcome Recorder::finish() {
  outcome_.seconds = std::chrono::duration<double>(last_ - from_).count();
  return std::move(outcome_);
}

base::Result<Outcome> on_threads(
    const Plan& plan,
    const std::function<base::Result<Outcome>(int thread, int connections)>& work) {
  const int threads = std::max(1, std::min(plan.threads, plan.connections));
  const double cpu_before = process_cpu_seconds();
  std::vector<base::Result<Outcome>> outcomes(static_cast<size_t>(threads));
  {
    std::vector<std::jthread> running;
    for (int i = 1; i < threads; ++i) {
      running.emplace_back([&, i] {
        const int extra = i < plan.connections % threads ? 1 : 0;
        outcomes[static_cast<size_t>(i)] = work(i, plan.connections / threads + extra);
      });
    }
    outcomes[0] = work(0, plan.connections / threads + (plan.connections % threads > 0 ? 1 : 0));
  }
  Outcome all;
  for (const base::Result<Outcome>& outcome : outcomes) {
    if (!outcome.ok()) return outcome.status();
    all.add(*outcome);
  }
  all.client_seconds = process_cpu_seconds() - cpu_before;
  return all;
}

}  // namespace supernova::bench
