// supernova-bench-worker: what it costs that an engine lives in a worker. The same model is opened
// in this process and in a worker, and run in turns, so that slow changes of the machine hit both
// alike.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <semaphore>
#include <thread>

#include "engine/engine.h"
#include "engine/worker/worker_engine.h"
#include "load/histogram.h"
#include "serving/models.h"

namespace supernova::engine::onnxruntime {
const sn_engine_api* entry(uint32_t host_abi_version);
}

namespace supernova::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Side {
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<engine::Model> model;
  std::unique_ptr<engine::Session> session;
  std::vector<double> p50;  // microseconds, of each round
  std::vector<double> p99;
  std::vector<double> cpu;  // of this process, for each run
};

base::Status open(Side& side, sn_engine_entry_fn entry, const engine::Options& options,
                  const BenchModel& model) {
  SN_ASSIGN(side.engine, engine::Engine::open(entry, options));
  engine::Artefact artefact;
  artefact.format = "onnx";
  artefact.bytes = tensor::Buffer::copy_of(model.onnx);
  SN_ASSIGN(side.model, side.engine->open_model(artefact, {}));
  const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
  SN_ASSIGN(side.session, side.model->open_session(cpu, {}));
  return {};
}

base::Result<std::string> run(Side& side, const tensor::Request& request) {
  std::binary_semaphore answered(0);
  base::Result<std::string> outputs = std::string();
  side.session->run(request, [&](base::Result<tensor::Response> response) {
    if (response.ok()) {
      outputs = std::string(response->outputs.front().buffer.view());
    } else {
      outputs = response.status();
    }
    answered.release();
  });
  answered.acquire();
  return outputs;
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

base::Status measure(Side& side, const tensor::Request& request, double seconds,
                     std::chrono::microseconds pause) {
  Histogram histogram;
  const double cpu = cpu_seconds();
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    const auto start = Clock::now();
    SN_TRY(run(side, request).status());
    histogram.record(Clock::now() - start);
  } while (Clock::now() < end);
  side.p50.push_back(static_cast<double>(histogram.percentile(50).count()) * 1e-3);
  side.p99.push_back(static_cast<double>(histogram.percentile(99).count()) * 1e-3);
  side.cpu.push_back((cpu_seconds() - cpu) * 1e6 / static_cast<double>(histogram.count()));
  return {};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

struct Plan {
  int rounds = 7;
  double seconds = 0.5;
  std::string program;
};

base::Status compare(const BenchModel& model, const Plan& plan, std::chrono::microseconds pause) {
  Side here;
  Side there;
  SN_TRY(open(here, &engine::onnxruntime::entry, {}, model));
  SN_TRY(open(there, &engine::worker::worker_engine_entry,
              {{"worker.engine", "onnxruntime"}, {"worker.program", plan.program}}, model));
  tensor::Request request;
  request.inputs = bench_inputs(model);
  SN_ASSIGN(const std::string expected, run(here, request));
  SN_ASSIGN(const std::string answer, run(there, request));
  if (expected != answer) return absl::InternalError("the worker answers otherwise");
  for (int round = 0; round <= plan.rounds; ++round) {
    SN_TRY(measure(here, request, plan.seconds, pause));
    SN_TRY(measure(there, request, plan.seconds, pause));
    if (round > 0) continue;  // warms up
    for (Side* side : {&here, &there}) side->p50 = side->p99 = side->cpu = {};
  }
  std::vector<double> costs;
  for (size_t i = 0; i < here.p50.size(); ++i) costs.push_back(there.p50[i] - here.p50[i]);
  const double cost = median(costs);
  std::printf("| %s | %s | %.1f | %.1f | %.1f | %.2f %% | %.1f | %.1f | %.1f | %.1f |\n",
              model.name.c_str(), pause.count() > 0 ? "1 ms apart" : "back to back",
              median(here.p50), median(there.p50), cost, cost / median(here.p50) * 100,
              median(here.p99), median(there.p99), median(here.cpu), median(there.cpu));
  std::fflush(stdout);
  return {};
}

base::Status compare_all(const Plan& plan) {
  std::printf(
      "| model | runs | in-process p50 us | worker p50 us | cost us | of in-process |"
      " in-process p99 | worker p99 | CPU us here, in-process | CPU us here, worker |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  for (const auto pause : {std::chrono::microseconds(0), std::chrono::microseconds(1000)}) {
    SN_TRY(compare(small_mlp(), plan, pause));
    SN_TRY(compare(convnet(), plan, pause));
  }
  return {};
}

}  // namespace
}  // namespace supernova::bench

int main(int argc, char** argv) {
  supernova::bench::Plan plan;
  plan.program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "supernova-worker";
  CLI::App app{"What it costs that an engine lives in a worker."};
  app.add_option("--rounds", plan.rounds, "Rounds that count")->capture_default_str();
  app.add_option("--seconds", plan.seconds, "Of each side in a round")->capture_default_str();
  app.add_option("--worker", plan.program, "The worker program");
  CLI11_PARSE(app, argc, argv);
  const auto status = supernova::bench::compare_all(plan);
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
