// supernova-bench-serving: the bare runtime in this process against the server over REST with
// binary tensors, interleaved round by round in one run. Prints a Markdown table. See
// bench/README.md.
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/catalogue.h"
#include "http_client.h"
#include "import/importer.h"
#include "models.h"
#include "server_process.h"

namespace supernova::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string server;
  int rounds = 7;
  double seconds = 1;  // of each measurement in a round
};

struct Cores {
  int server = -1;
  int client = -1;
};

// The first and the last core that this process may use; none when there is one only.
Cores choose_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) < 2) return {};
  Cores cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &set)) continue;
    if (cores.server < 0) cores.server = core;
    cores.client = core;
  }
  return cores;
}

struct Measurement {
  double rate = 0;  // requests a second
  double p50 = 0;   // microseconds
  double p99 = 0;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Measurement summarise(std::vector<double> latencies, double seconds) {
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double part) {
    return latencies[std::min(latencies.size() - 1,
                              static_cast<size_t>(part * static_cast<double>(latencies.size())))];
  };
  return {static_cast<double>(latencies.size()) / seconds, at(0.50), at(0.99)};
}

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

// Calls `once` until the time is over; appends what each call took. At least one call.
template <typename Once>
base::Status repeat(Clock::time_point end, std::vector<double>& latencies, Once once) {
  for (Clock::time_point before = Clock::now();;) {
    SN_TRY(once());
    const Clock::time_point after = Clock::now();
    latencies.push_back(microseconds(after - before));
    if (after >= end) return {};
    before = after;
  }
}

Clock::duration as_duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// The model opened in this process.
class InProcess {
 public:
  base::Status open(const std::string& path, const BenchModel& model, tensor::Buffer input) {
    import::register_importers(importers_);
    engine::register_builtin_engines(engines_);
    SN_ASSIGN(const tensor::ImportedModel imported, importers_.provide(path, {}));
    const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, nullptr};
    SN_ASSIGN(engine::Engine* const engine, engines_.choose(imported.artefact, cpu, {}));
    SN_ASSIGN(model_, engine->open_model(imported.artefact, {}));
    SN_ASSIGN(session_, model_->open_session(cpu, {}));
    tensor::Tensor tensor{model.input, tensor::DataType::kFp32, {}, std::move(input)};
    tensor.shape.assign(model.shape.begin(), model.shape.end());
    request_.inputs.push_back(std::move(tensor));
    for (const auto& output : session_->signature().outputs)
      request_.outputs.push_back(output.name);
    return {};
  }

  // Runs once; the outputs, one after the other, go to `outputs` unless it is null.
  base::Status run(std::string* outputs) {
    base::Status status = absl::InternalError("the engine has not answered");
    session_->run(request_, [&](base::Result<tensor::Response> response) {
      status = response.status();
      if (!response.ok() || outputs == nullptr) return;
      for (const tensor::Tensor& output : response->outputs) outputs->append(output.buffer.view());
    });
    return status;
  }

  base::Result<Measurement> measure(double seconds) {
    std::vector<double> latencies;
    const Clock::time_point begin = Clock::now();
    SN_TRY(repeat(begin + as_duration(seconds), latencies, [&] { return run(nullptr); }));
    return summarise(std::move(latencies), microseconds(Clock::now() - begin) / 1e6);
  }

 private:
  import::ImporterRegistry importers_;
  engine::Catalogue engines_;
  std::unique_ptr<engine::Model> model_;
  std::unique_ptr<engine::Session> session_;
  tensor::Request request_;
};

// One thread per connection, each with one request in flight.
base::Result<Measurement> measure_rest(uint16_t port, const std::string& request, int connections,
                                       double seconds, int core) {
  std::vector<std::vector<double>> latencies(static_cast<size_t>(connections));
  std::vector<base::Status> statuses(static_cast<size_t>(connections));
  // Each thread's own times: this thread may wait for a core that the server keeps busy.
  std::vector<Clock::time_point> begins(static_cast<size_t>(connections));
  std::vector<Clock::time_point> ends(static_cast<size_t>(connections));
  std::barrier start(connections);
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < latencies.size(); ++i) {
    threads.emplace_back([&, i] {
      pin_to_core(core);
      auto client = HttpClient::connect(port);
      start.arrive_and_wait();
      statuses[i] = client.status();
      if (!client.ok()) return;
      begins[i] = Clock::now();
      statuses[i] = repeat(begins[i] + as_duration(seconds), latencies[i],
                           [&] { return client->exchange(request).status(); });
      ends[i] = Clock::now();
    });
  }
  for (std::jthread& thread : threads) thread.join();
  std::vector<double> all;
  for (size_t i = 0; i < latencies.size(); ++i) {
    SN_TRY(statuses[i]);
    all.insert(all.end(), latencies[i].begin(), latencies[i].end());
  }
  const auto elapsed =
      *std::max_element(ends.begin(), ends.end()) - *std::min_element(begins.begin(), begins.end());
  return summarise(std::move(all), microseconds(elapsed) / 1e6);
}

struct Series {
  std::string_view path;
  int connections;  // 0 = in this process
  std::vector<Measurement> rounds;
};

void print_series(const BenchModel& model, const std::vector<Series>& all) {
  for (const Series& series : all) {
    std::vector<double> rates, p50s, p99s, ratios;
    for (size_t i = 0; i < series.rounds.size(); ++i) {
      rates.push_back(series.rounds[i].rate);
      p50s.push_back(series.rounds[i].p50);
      p99s.push_back(series.rounds[i].p99);
      ratios.push_back(series.rounds[i].rate / all[0].rounds[i].rate);
    }
    const std::string connections =
        series.connections == 0 ? "-" : std::to_string(series.connections);
    std::printf("| %s | %.*s | %s | %.0f | %.1f | %.1f | %.3f |\n", model.name.c_str(),
                static_cast<int>(series.path.size()), series.path.data(), connections.c_str(),
                median(rates), median(p50s), median(p99s), median(ratios));
  }
  std::fflush(stdout);
}

// The server must give the bytes that the runtime gives here, or its speed means nothing.
base::Status check_same(InProcess& here, uint16_t port, const std::string& request,
                        const BenchModel& model) {
  std::string expected;
  SN_TRY(here.run(&expected));
  SN_ASSIGN(HttpClient client, HttpClient::connect(port));
  SN_ASSIGN(const std::string_view got, client.exchange(request));
  if (got == expected) return {};
  return absl::InternalError(
      base::str_cat("model ", model.name, ": the server's outputs differ from the runtime's"));
}

base::Status measure_model(const Options& options, const Cores& cores, const BenchModel& model,
                           const fs::path& folder) {
  const std::string path = (folder / (model.name + ".onnx")).string();
  if (!(std::ofstream(path, std::ios::binary) << model.onnx)) {
    return absl::InternalError(base::str_cat("can't write ", path));
  }
  size_t elements = 1;
  for (const int64_t size : model.shape) elements *= static_cast<size_t>(size);
  tensor::Buffer input = tensor::Buffer::allocate(elements * sizeof(float));
  for (size_t i = 0; i < elements; ++i) {
    const float value = static_cast<float>(i % 255) / 255.0F;
    std::memcpy(input.data() + i * sizeof(float), &value, sizeof(value));
  }
  const std::string request = infer_request(model, input.view());

  // The runtime here runs where the server runs.
  pin_to_core(cores.server);
  InProcess here;
  SN_TRY(here.open(path, model, input));
  SN_ASSIGN(ServerProcess server, ServerProcess::start(options.server, {path}, cores.server));
  SN_TRY(check_same(here, server.http_port(), request, model));

  std::vector<Series> all{{"in-process", 0, {}}, {"REST binary", 1, {}}, {"REST binary", 8, {}}};
  for (int round = -1; round < options.rounds; ++round) {  // the first one warms up
    for (Series& series : all) {
      auto measured = series.connections == 0
                          ? here.measure(options.seconds)
                          : measure_rest(server.http_port(), request, series.connections,
                                         options.seconds, cores.client);
      if (!measured.ok()) return measured.status();
      if (round >= 0) series.rounds.push_back(*measured);
    }
  }
  print_series(model, all);
  return {};
}

base::Status run(const Options& options) {
  std::string name = (fs::temp_directory_path() / "supernova-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return absl::InternalError("can't make a temporary folder");
  const Cores cores = choose_cores();
  std::printf(
      "%d rounds of %g s each, median; server on core %d, client on core %d (-1: anywhere)\n\n",
      options.rounds, options.seconds, cores.server, cores.client);
  std::printf("| model | path | connections | requests/s | p50 µs | p99 µs | of in-process |\n");
  std::printf("|---|---|---|---|---|---|---|\n");
  base::Status status = measure_model(options, cores, small_mlp(), name);
  if (status.ok()) status = measure_model(options, cores, convnet(), name);
  std::error_code ignored;
  fs::remove_all(name, ignored);
  return status;
}

}  // namespace
}  // namespace supernova::bench

int main(int argc, char** argv) {
  supernova::bench::Options options;
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  options.server = (self.parent_path() / "supernova").string();
  CLI::App app("Measures the server against the bare runtime; prints a Markdown table");
  app.add_option("--server", options.server, "The supernova program")->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Seconds of each measurement in a round")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto status = supernova::bench::run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(supernova::base::message(status)).c_str());
  return 1;
}
