// Runs that are ended early: a loop long enough is cancelled in its middle, and has to end well
// before it would have.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "conformance/array.h"
#include "conformance/checks.h"
#include "conformance/models.h"
#include "conformance/trial.h"

namespace supernova::conformance {
namespace {

using std::chrono::milliseconds;
using tensor::DataType;
using Clock = std::chrono::steady_clock;

// How long a run takes that is to be cancelled in its middle.
constexpr milliseconds kLong{1000};
// A machine that does something else just then gets another chance.
constexpr int kAttempts = 3;
constexpr int kShortRuns = 200;
constexpr double kTolerance = 2e-3;

std::string said(const base::Status& status) { return std::string(base::message(status)); }
std::string in_ms(Clock::duration time) {
  return base::str_cat(std::chrono::duration_cast<milliseconds>(time).count(), " ms");
}

tensor::Request loop_request(int64_t turns) {
  tensor::Request request;
  request.inputs = {to_tensor("x", DataType::kFp32, loop_input(turns))};
  return request;
}

// Nothing where it is right.
std::string wrong(const tensor::Response& response, int64_t turns) {
  const double off = difference(to_array(response.outputs[0]), loop_result(loop_input(turns)));
  return off <= kTolerance ? "" : base::str_cat(turns, " turns: differs by ", off);
}

std::string works(Trial& trial) {
  const auto response = trial.run(loop_request(9));
  return response.ok() ? wrong(*response, 9) : said(response.status());
}

struct LongRun {
  int64_t turns = 0;
  Clock::duration whole{};
};

// Turns that take as long as wanted, or as many as can be counted.
base::Result<LongRun> find_long_run(Trial& trial) {
  LongRun run{64, {}};
  while (true) {
    const auto start = Clock::now();
    SN_TRY(trial.run(loop_request(run.turns)).status());
    run.whole = Clock::now() - start;
    if (run.whole >= kLong || run.turns == kMostTurns) return run;
    // Short ones say little of how long others take.
    const auto factor = run.whole < kLong / 20 ? 8 : kLong / run.whole + 2;
    run.turns = std::min(kMostTurns, run.turns * static_cast<int64_t>(factor));
  }
}

struct Cancelled {
  base::Result<tensor::Response> result;
  Clock::duration after{};  // the cancel
};

Cancelled run_and_cancel(Trial& trial, int64_t turns, Clock::duration wait) {
  const auto stop = std::make_shared<engine::Stop>();
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  Clock::time_point ended;
  base::Result<tensor::Response> result = absl::UnknownError("");
  std::thread runner([&] {
    auto got = trial.run(loop_request(turns), stop);
    std::lock_guard lock(mutex);
    result = std::move(got);
    ended = Clock::now();
    over = true;
    changed.notify_all();
  });
  {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, wait, [&over] { return over; });
  }
  const auto cancelled = Clock::now();
  stop->request();
  runner.join();
  return {std::move(result), ended - cancelled};
}

CaseResult cancel_long_run(Trial& trial, const std::string& group, const std::string& name) {
  const auto run = find_long_run(trial);
  if (!run.ok()) return failed(group, name, said(run.status()));
  const auto wait = run->whole / 4;
  const auto left = run->whole - wait;
  Cancelled last;
  for (int i = 0; i < kAttempts; ++i) {
    last = run_and_cancel(trial, run->turns, wait);
    if (trial.session == nullptr) return failed(group, name, said(last.result.status()));
    const bool is_cancelled = absl::IsCancelled(last.result.status());
    if (!last.result.ok() && !is_cancelled) {
      return failed(group, name,
                    base::str_cat("a cancelled run ends with ", last.result.status().ToString()));
    }
    if (is_cancelled && last.after < left / 2) break;
    if (i + 1 == kAttempts) {
      return failed(group, name,
                    base::str_cat("a cancelled run ", is_cancelled ? "ended" : "gave its answer ",
                                  in_ms(last.after), " later, where ", in_ms(left), " of ",
                                  in_ms(run->whole), " were left"));
    }
  }
  if (const std::string trouble = works(trial); !trouble.empty()) {
    return failed(group, name, base::str_cat("afterwards: ", trouble));
  }
  CaseResult result = passed(group, name, trial);
  result.detail += base::str_cat(result.detail.empty() ? "" : "; ", "ended ", in_ms(last.after),
                                 " after it was cancelled, where ", in_ms(left), " were left");
  return result;
}

// The answer or CANCELLED, whichever is first.
std::string cancel_short_runs(Trial& trial) {
  for (int i = 0; i < kShortRuns; ++i) {
    const int64_t turns = 1 + i % 40;
    const auto run = run_and_cancel(trial, turns, std::chrono::microseconds(i % 25 * 20));
    if (run.result.ok()) {
      if (std::string trouble = wrong(*run.result, turns); !trouble.empty()) return trouble;
    } else if (!absl::IsCancelled(run.result.status())) {
      return base::str_cat("a cancelled run ends with ", run.result.status().ToString());
    }
    if (trial.session == nullptr) return "a cancelled run never ended";
  }
  return works(trial);
}

}  // namespace

void check_cancel(Checks& checks) {
  const auto on_loop =
      [&](std::string_view called,
          const std::function<CaseResult(Trial&, const std::string&, const std::string&)>& check) {
        checks.run("cancel", called, [&](const std::string& group, const std::string& name) {
          const auto skipped = [&](std::string why) {
            return CaseResult{group, name, Outcome::kSkipped, std::move(why), 0};
          };
          if (!checks.options.subject.engine->can_cancel()) {
            return skipped("not supported: the engine says that it can't end a run early");
          }
          if (checks.options.subject.engine->accepts_format("*")) {
            return skipped("the suite has no long run of a model of any content");
          }
          const auto artefact = checks.kit.loop();
          if (!artefact.ok()) return not_made(group, name, artefact.status());
          const auto trial = open(checks.options.subject, *artefact);
          if (!trial.ok()) return not_opened(group, name, trial.status());
          return check(**trial, group, name);
        });
      };
  on_loop("a long run, in its middle", &cancel_long_run);
  on_loop("short runs, at any moment",
          [](Trial& trial, const std::string& group, const std::string& name) {
            const std::string trouble = cancel_short_runs(trial);
            return trouble.empty() ? passed(group, name, trial) : failed(group, name, trouble);
          });
}

}  // namespace supernova::conformance
