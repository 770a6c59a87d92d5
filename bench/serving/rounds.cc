#include "rounds.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "bare/bare_model.h"
#include "base/large_pages.h"
#include "counter/counts.h"

namespace supernova::bench {
namespace {

constexpr Path kServed[] = {Path::kFloor,    Path::kRestBinary, Path::kRestShared,
                            Path::kRestJson, Path::kGrpcEcho,   Path::kGrpc};

struct Measurement {
  double rate = 0;
  double p50 = 0;
  double p99 = 0;
  double cpu = 0;
  double client = 0;
};

struct Series {
  Path path;
  int connections;
  std::vector<Measurement> rounds;
};

double microseconds(Histogram::Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

Plan make_plan(int connections, double duration) {
  Plan plan;
  plan.connections = std::max(1, connections);
  plan.duration = seconds(duration);
  return plan;
}

Measurement summarise(const Outcome& outcome, double cpu_seconds) {
  return {outcome.rate(), microseconds(outcome.latencies.percentile(50)),
          microseconds(outcome.latencies.percentile(99)),
          1e6 * cpu_seconds / static_cast<double>(std::max<uint64_t>(1, outcome.latencies.count())),
          outcome.client_seconds / outcome.seconds};
}

// The model in this process: the bare runtime, and this project's engine over it.
struct Here {
  import::ImporterRegistry importers;
  engine::Catalogue engines;
  device::DeviceList devices;
  InProcess engine;
  std::optional<BareModel> bare;
  std::string outputs;  // of the bare runtime

  base::Status open(const std::string& path, const BenchModel& model) {
    import::register_importers(importers);
    engine::register_builtin_engines(engines);
    SN_TRY(engine.open({"model", 1, path}, importers, engines, devices, {}));
    const std::vector<tensor::Tensor> inputs = bench_inputs(model);
    engine.set_inputs(inputs);
    SN_ASSIGN(BareModel opened, BareModel::open(path));
    bare.emplace(std::move(opened));
    const std::string_view input = inputs[0].buffer.view();
    if (bare->input().buffer.size() != input.size()) return absl::InternalError("input size");
    std::memcpy(bare->input_data(), input.data(), input.size());
    SN_TRY(bare->run());
    for (const tensor::Tensor& output : bare->outputs()) outputs += output.buffer.view();
    std::string same;
    SN_TRY(engine.run(&same));
    if (same == outputs) return {};
    return absl::InternalError("the engine's outputs differ from the bare runtime's");
  }
};

base::Result<Measurement> measure_here(const Options& options, Here& here, Path path) {
  pin_to_core(options.cores.server);  // where the servers run, which are idle meanwhile
  const Plan plan = make_plan(1, options.seconds);
  auto outcome = path == Path::kInProcess
                     ? load_calls([&] { return here.bare->run(); }, plan)
                     : load_calls([&] { return here.engine.run(nullptr); }, plan);
  pin_to_core(options.cores.client);
  if (!outcome.ok()) return outcome.status();
  return summarise(*outcome, outcome->client_seconds);
}

base::Result<Measurement> measure_served(const Options& options, Stage& stage,
                                         const Requests& requests, const Series& series) {
  SN_ASSIGN(const Process* const child, stage.process(series.path));
  const double before = child->cpu_seconds();
  SN_ASSIGN(const Outcome outcome,
            stage.load(series.path, requests, make_plan(series.connections, options.seconds)));
  return summarise(outcome, child->cpu_seconds() - before);
}

// The counter's file, mapped.
class Counts {
 public:
  using Values = std::array<uint64_t, SN_COUNT_KINDS>;

  explicit Counts(const std::string& path) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(Values)) != 0) return;
    void* mapped = mmap(nullptr, sizeof(Values), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) mapped_ = static_cast<const volatile uint64_t*>(mapped);
  }
  Counts(const Counts&) = delete;
  Counts& operator=(const Counts&) = delete;

  Values read() const {
    Values values{};
    for (size_t i = 0; mapped_ != nullptr && i < values.size(); ++i) values[i] = mapped_[i];
    return values;
  }

 private:
  const volatile uint64_t* mapped_ = nullptr;  // until the process ends
};

uint64_t system_calls(const Counts::Values& values) {
  uint64_t all = 0;
  for (int i = SN_COUNT_READ; i < SN_COUNT_KINDS; ++i) all += values[static_cast<size_t>(i)];
  return all;
}

// Fills in what is counted: in servers of their own, which the counter slows down.
base::Status count(const Options& options, const Requests& requests, const SharedRegion& region,
                   const BenchModel& model, const std::string& path, std::vector<Line>& lines) {
  for (Line& line : lines) {
    if (line.connections == 0) continue;
    const std::string file = base::str_cat(options.folder, "/counts-", static_cast<int>(line.path));
    Stage stage(options.programs, model, path, options.cores.server,
                {{"LD_PRELOAD", options.programs.counter}, {SN_COUNT_FILE, file}});
    stage.use(region);
    SN_ASSIGN(const Process* const child, stage.process(line.path));
    const Counts counts(file);
    const Plan plan = make_plan(line.connections, std::min(0.3, options.seconds));
    SN_TRY(stage.load(line.path, requests, plan).status());  // what is made once is made here
    const Counts::Values before = counts.read();
    const uint64_t switches = child->voluntary_switches();
    SN_ASSIGN(const Outcome outcome, stage.load(line.path, requests, plan));
    const Counts::Values after = counts.read();
    const double number = static_cast<double>(std::max<uint64_t>(1, outcome.latencies.count()));
    line.calls = static_cast<double>(system_calls(after) - system_calls(before)) / number;
    line.allocations =
        static_cast<double>(after[SN_COUNT_ALLOCATIONS] - before[SN_COUNT_ALLOCATIONS]) / number;
    line.switches = static_cast<double>(child->voluntary_switches() - switches) / number;
  }
  return {};
}

template <typename Value>
double median_of(const Series& series, Value value) {
  std::vector<double> values;
  for (size_t round = 0; round < series.rounds.size(); ++round) values.push_back(value(round));
  return median(std::move(values));
}

const Series* wall_of(const std::vector<Series>& all, const Series& series) {
  const Path wall = series.path == Path::kGrpc ? Path::kGrpcEcho : Path::kFloor;
  if (series.connections == 0 || series.path == wall || series.path == Path::kGrpcEcho) {
    return nullptr;
  }
  for (const Series& other : all) {
    if (other.path == wall && other.connections == series.connections) return &other;
  }
  return nullptr;
}

Line make_line(const std::vector<Series>& all, const Series& series, const std::string& model) {
  const auto& rounds = series.rounds;
  Line line{model, series.path, series.connections};
  line.rate = median_of(series, [&](size_t i) { return rounds[i].rate; });
  line.p50 = median_of(series, [&](size_t i) { return rounds[i].p50; });
  line.p99 = median_of(series, [&](size_t i) { return rounds[i].p99; });
  line.cpu = median_of(series, [&](size_t i) { return rounds[i].cpu; });
  line.client = median_of(series, [&](size_t i) { return rounds[i].client; });
  line.of_in_process =
      median_of(series, [&](size_t i) { return rounds[i].rate / all[0].rounds[i].rate; });
  if (const Series* wall = wall_of(all, series)) {
    line.of_wall =
        median_of(series, [&](size_t i) { return rounds[i].rate / wall->rounds[i].rate; });
    line.p50_of_wall =
        median_of(series, [&](size_t i) { return rounds[i].p50 / wall->rounds[i].p50; });
  }
  return line;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

base::Result<std::vector<Line>> measure_requests(const Options& options, const BenchModel& model) {
  const std::string path = base::str_cat(options.folder, "/", model.name, ".onnx");
  SN_TRY(write_file(path, model.onnx));
  SN_ASSIGN(const Requests requests, Requests::make(model, bench_inputs(model)));

  pin_to_core(options.cores.server);
  Here here;
  SN_TRY(here.open(path, model));
  if (options.large_pages) base::use_large_pages();
  pin_to_core(options.cores.client);
  Target named;
  named.model = model.name;
  SharedRegion region;
  SN_TRY(region.make(named, bench_inputs(model), here.bare->outputs()));
  Stage stage(options.programs, model, path, options.cores.server, {});
  stage.use(region);
  SN_TRY(check_same(here.outputs, stage, Path::kFloor, requests));
  SN_TRY(check_same(here.outputs, stage, Path::kRestBinary, requests));
  SN_TRY(check_shared(here.outputs, stage, region));

  std::vector<Series> all{{Path::kInProcess, 0, {}}, {Path::kEngine, 0, {}}};
  for (const int connections : options.connections) {
    for (const Path served : kServed) all.push_back({served, connections, {}});
  }
  for (int round = -1; round < options.rounds; ++round) {  // the first one warms up
    for (Series& series : all) {
      const auto measured = series.connections == 0
                                ? measure_here(options, here, series.path)
                                : measure_served(options, stage, requests, series);
      if (!measured.ok()) return measured.status();
      if (round >= 0) series.rounds.push_back(*measured);
    }
  }
  std::vector<Line> lines;
  for (const Series& series : all) lines.push_back(make_line(all, series, model.name));
  SN_TRY(count(options, requests, region, model, path, lines));
  return lines;
}

}  // namespace supernova::bench
