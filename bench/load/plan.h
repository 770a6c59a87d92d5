// What load to make, and when each request is due. The pacer is where coordinated omission is
// avoided: in an open loop the moments are laid down beforehand, and a request that could not be
// sent at its moment, because every connection was still waiting, is timed from that moment all
// the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "base/status.h"
#include "load/histogram.h"

namespace supernova::bench {

using Clock = std::chrono::steady_clock;

Clock::duration seconds(double count);

struct Plan {
  int connections = 1;
  int threads = 1;  // the connections are spread over them
  double rate =
      0;  // requests a second in an open loop; 0 = closed loop, each reply brings the next
  bool poisson = true;  // gaps of an open loop: exponential, else all alike
  Clock::duration warmup = seconds(0);
  Clock::duration duration = seconds(1);
  Clock::duration timeout = seconds(30);  // of one request, and of what is left at the end
  uint64_t seed = 1;
  // Over HTTP: the last four bytes of every request are an FP32 number that no other one has.
  bool unique = false;
  uint32_t first_number = 0;  // below 2^24 all numbers are exact
};

// What the requests that were due within `duration` (after the warm-up) came to.
struct Outcome {
  Histogram latencies;  // of those that succeeded
  Histogram refusals;   // of replies that say no, over HTTP
  uint64_t errors = 0;
  std::map<std::string, uint64_t> messages;  // of errors, the first kinds of them
  double seconds = 0;                        // from the first moment to the last reply
  double client_seconds = 0;                 // processor time of this process meanwhile

  double rate() const { return seconds > 0 ? static_cast<double>(latencies.count()) / seconds : 0; }
  // All but client_seconds, which are the process's.
  void add(const Outcome& other);
  // Counts an error; beyond 16 kinds of message they become "other errors".
  void fail(std::string_view message);
};

// The moments of one thread's requests. Not thread-safe.
class Pacer {
 public:
  // `share` of the plan's rate; every thread gets a `stream` of its own.
  Pacer(const Plan& plan, Clock::time_point start, double share, uint64_t stream);

  // The moment that the next request is timed from, when it is due by now; it is then taken.
  std::optional<Clock::time_point> take(Clock::time_point now);
  // No request will be due any more.
  bool over(Clock::time_point now) const;
  // When the next one is due; in a closed loop always now.
  Clock::time_point due() const { return next_; }
  bool open_loop() const { return gap_ > 0; }

  Clock::time_point measured_from() const { return from_; }
  Clock::time_point end() const { return end_; }

 private:
  void advance();

  double gap_;  // seconds on average; 0 = closed loop
  bool poisson_;
  Clock::time_point from_;
  Clock::time_point end_;
  Clock::time_point next_;
  std::mt19937_64 random_;
};

// One thread's share of an outcome: knows which requests count.
class Recorder {
 public:
  explicit Recorder(const Pacer& pacer) : from_(pacer.measured_from()), last_(pacer.end()) {}

  void success(Clock::time_point due, Clock::time_point now);
  void failure(Clock::time_point due, Clock::time_point now, std::string_view message);
  // A failure that the server told of.
  void refusal(Clock::time_point due, Clock::time_point now, std::string_view message);
  Outcome finish();

 private:
  bool counts(Clock::time_point due, Clock::time_point now);

  Clock::time_point from_;
  Clock::time_point last_;
  Outcome outcome_;
};

// Runs `work(thread index, connections of it)` on the plan's threads and adds up what they return;
// the first error is returned instead.
base::Result<Outcome> on_threads(
    const Plan& plan,
    const std::function<base::Result<Outcome>(int thread, int connections)>& work);

}  // namespace supernova::bench
