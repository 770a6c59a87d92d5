#include "engine/onnxruntime/choose_threads.h"

#include <time.h>

#include <algorithm>
#include <filesystem>

#include "engine/option_values.h"

namespace supernova::engine::onnxruntime {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kForcedOption[] = "session.intra_op_num_threads";
// A larger model is not opened twice, nor one that took long to open.
constexpr uint64_t kSmall = uint64_t{16} << 20U;
constexpr std::chrono::milliseconds kQuickToOpen(250);
// Runs that take longer gain from threads, quicker ones never do.
constexpr RunTime kLong(20000);
constexpr RunTime kShort(20);
// What the threads must take off to be worth their processors.
constexpr double kGain = 0.1;
constexpr int kRuns = 15;
constexpr int kLeastRuns = 4;
constexpr std::chrono::milliseconds kLongEnough(100);

bool is_small(const sn_artefact& artefact) {
  if (artefact.data != nullptr) return artefact.data_size <= kSmall;
  std::error_code error;
  const auto size = std::filesystem::file_size(artefact.path, error);
  return !error && size <= kSmall;
}

// Made-up inputs have the size of real ones: only the first axis, the batch, may be open.
bool tells_its_sizes(const sn_model_info& info) {
  const sn_signature& signature = info.signatures[0];
  return std::all_of(
      signature.inputs, signature.inputs + signature.input_count, [](const sn_tensor_info& input) {
        return input.rank >= 0 &&
               std::all_of(input.dims + std::min(input.rank, 1), input.dims + input.rank,
                           [](int64_t size) { return size >= 0; });
      });
}

// Of this thread, whatever else has the processors meanwhile.
std::chrono::nanoseconds processor_time() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Other work on the machine makes runs longer, never quicker.
std::optional<RunTime> quickest_run(Model& model) {
  std::optional<RunTime> quickest;
  const auto begin = Clock::now();
  for (int i = 0; i < kRuns; ++i) {
    const auto start = Clock::now();
    if (!model.run_on_zeros().ok()) return std::nullopt;
    const auto end = Clock::now();
    quickest = std::min(quickest.value_or(end - start), RunTime(end - start));
    if (end - begin > kLongEnough && (i + 1 >= kLeastRuns || *quickest > 4 * kLong)) break;
  }
  return quickest;
}

}  // namespace

Threads judge(std::optional<RunTime> on_all) {
  if (!on_all || *on_all >= kLong) return Threads::kAll;
  return *on_all <= kShort ? Threads::kOne : Threads::kTryOne;
}

Threads judge(RunTime on_all, std::optional<RunTime> on_one) {
  if (!on_one) return Threads::kAll;
  return on_all < *on_one * (1 - kGain) ? Threads::kAll : Threads::kOne;
}

base::Result<std::unique_ptr<Model>> open_with_threads_that_pay(const Runtime& runtime,
                                                                const sn_artefact& artefact,
                                                                const Options& options,
                                                                int thread_budget) {
  const auto start = processor_time();
  SN_ASSIGN(auto on_all, Model::open(runtime, artefact, options, thread_budget));
  const bool took_long = processor_time() - start > kQuickToOpen;
  SN_ASSIGN(const int threads, intra_op_threads(options, thread_budget));
  if (threads == 1 || options.contains(kForcedOption) || took_long || !is_small(artefact) ||
      !tells_its_sizes(on_all->info())) {
    return on_all;
  }
  const auto time_on_all = quickest_run(*on_all);
  const Threads first = judge(time_on_all);
  if (first == Threads::kAll) return on_all;
  Options one = options;
  one[kIntraOpThreads] = "1";
  auto opened = Model::open(runtime, artefact, one, thread_budget);
  if (!opened.ok()) return on_all;
  std::unique_ptr<Model> on_one = *std::move(opened);
  const auto time_on_one = quickest_run(*on_one);
  if (first == Threads::kTryOne && judge(*time_on_all, time_on_one) == Threads::kAll) {
    return on_all;
  }
  log(Level::kInfo,
      base::str_cat("a run takes ", static_cast<int64_t>(time_on_one.value_or(RunTime()).count()),
                    " microseconds on one thread, ", static_cast<int64_t>(time_on_all->count()),
                    " on those that ", kIntraOpThreads, " allows: the model gets one; ",
                    kForcedOption, "=N has the last word"));
  return on_one;
}

}  // namespace supernova::engine::onnxruntime
