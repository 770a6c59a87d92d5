// supernova bench: loads a server of the Open Inference Protocol, or a model in this process, and
// says how fast it answers.
#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/json_writer.h"
#include "command.h"
#include "inputs.h"
#include "load/in_process.h"
#include "load/load.h"
#include "load/request.h"
#include "load/target.h"
#include "model/model_source.h"

namespace supernova::apps {
namespace {

using bench::Outcome;
using bench::Plan;
using bench::Target;
using tensor::Tensor;
using tensor::TensorInfo;

struct BenchOptions {
  ModelOptions model_options;
  std::string target;  // URL or MODEL
  std::string model;
  std::string version;
  std::string in_process;  // MODEL
  std::string encoding = "binary";
  std::vector<std::string> headers;  // NAME: VALUE
  std::vector<std::string> inputs;   // NAME=FILE or FILE
  std::vector<std::string> shapes;   // NAME=1,3
  std::string fill = "zeros";
  std::string arrivals = "poisson";
  std::vector<int> connections;  // empty = what the kind of loop needs
  double rate = 0;
  int threads = 1;
  double duration = 5;
  double warmup = 1;
  double timeout = 30;
  bool json = false;
};

struct Run {
  int connections;
  Outcome outcome;
};

// All that is printed.
struct Report {
  std::string target;
  std::string protocol;
  std::string model;
  std::string place;         // "onnxruntime on cpu", of a model without a server
  size_t request_bytes = 0;  // 0 in this process
  std::optional<Outcome> in_process;
  std::vector<Run> runs;
};

base::Status set_shapes(const std::vector<std::string>& arguments,
                        std::vector<TensorInfo>& inputs) {
  for (const std::string& argument : arguments) {
    const size_t equals = argument.rfind('=');
    const std::string name = equals == std::string::npos ? "" : argument.substr(0, equals);
    const auto input = std::find_if(inputs.begin(), inputs.end(),
                                    [&](const TensorInfo& info) { return info.name == name; });
    if (input == inputs.end()) {
      return absl::InvalidArgumentError(base::str_cat(
          "--shape ", argument, ": the model has no such input; give NAME=SIZE,SIZE,..."));
    }
    tensor::Shape shape;
    std::string_view rest = std::string_view(argument).substr(equals + 1);
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      int64_t size = 0;
      if (!base::parse_whole(rest.substr(0, comma), size)) {
        return absl::InvalidArgumentError(
            base::str_cat("--shape ", argument, ": '", rest.substr(0, comma), "' is no size"));
      }
      shape.push_back(size);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    if (!tensor::shape_matches(input->shape, shape)) {
      return absl::InvalidArgumentError(base::str_cat("--shape ", argument, ": the input takes ",
                                                      tensor::shape_to_string(input->shape)));
    }
    input->shape = shape;
  }
  return {};
}

base::Result<std::vector<Tensor>> bench_inputs(const BenchOptions& options,
                                               std::vector<TensorInfo> inputs,
                                               const std::vector<TensorInfo>& described) {
  SN_TRY(set_shapes(options.shapes, inputs));
  if (options.inputs.empty()) {
    return make_inputs(inputs, described, options.fill == "random" ? Fill::kRandom : Fill::kZeros);
  }
  SN_ASSIGN(const model::LoadOptions load, options.model_options.load_options());
  return read_inputs(options.inputs, inputs, described, load.options);
}

Plan make_plan(const BenchOptions& options, int connections) {
  Plan plan;
  plan.connections = connections;
  plan.threads = options.threads;
  plan.rate = options.rate;
  plan.poisson = options.arrivals == "poisson";
  plan.warmup = bench::seconds(options.warmup);
  plan.duration = bench::seconds(options.duration);
  plan.timeout = bench::seconds(options.timeout);
  return plan;
}

base::Status open_in_process(const BenchOptions& options, const std::string& argument, House& house,
                             bench::InProcess& model) {
  SN_TRY(house.open(options.model_options));
  SN_ASSIGN(const model::LoadOptions load, options.model_options.load_options());
  SN_ASSIGN(const model::VersionSource source, model::source_from_argument(argument));
  SN_TRY(model.open(source, house.artefacts, house.engines, house.devices, load));
  SN_ASSIGN(std::vector<Tensor> inputs, bench_inputs(options, model.inputs(), model.inputs()));
  model.set_inputs(std::move(inputs));
  // An input that does not fit is told once, not counted thousands of times.
  return model.run(nullptr);
}

base::Status add_headers(const BenchOptions& options, Target& target) {
  for (const std::string& header : options.headers) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0 ||
        header.find_first_of("\r\n") != std::string::npos) {
      return absl::InvalidArgumentError(
          base::str_cat("--header ", header, ": give it as 'NAME: VALUE'"));
    }
    std::string name = header.substr(0, colon);
    // gRPC's metadata has lower-case names only; HTTP doesn't mind.
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const size_t value = header.find_first_not_of(' ', colon + 1);
    target.headers.emplace_back(name, value == std::string::npos ? "" : header.substr(value));
  }
  return {};
}

base::Status bench_server(const BenchOptions& options, Report& report) {
  SN_ASSIGN(Target target, bench::parse_target(options.target));
  SN_TRY(add_headers(options, target));
  if (!options.model.empty()) target.model = options.model;
  if (!options.version.empty()) target.version = options.version;
  SN_ASSIGN(const std::vector<TensorInfo> inputs, bench::describe(target));
  SN_ASSIGN(const std::vector<Tensor> tensors, bench_inputs(options, inputs, {}));
  const auto encoding =
      options.encoding == "json" ? bench::Encoding::kJson : bench::Encoding::kBinary;
  std::string request;
  if (target.grpc) {
    request = bench::grpc_infer_request(target, tensors);
  } else {
    SN_ASSIGN(request, bench::http_infer_request(target, tensors, encoding));
  }
  report.target = target.url();
  report.model = target.model;
  report.protocol = target.grpc ? "gRPC" : options.encoding == "json" ? "REST JSON" : "REST binary";
  report.request_bytes = request.size();
  for (const int connections : options.connections) {
    const Plan plan = make_plan(options, connections);
    auto outcome = target.grpc ? bench::load_grpc(target, request, plan)
                               : bench::load_http(target, request, plan);
    if (!outcome.ok()) return outcome.status();
    report.runs.push_back({connections, std::move(*outcome)});
  }
  return {};
}

base::Status bench_in_process(const BenchOptions& options, Report& report) {
  const bool alone = report.target.empty() && options.in_process.empty();
  House house;
  bench::InProcess model;
  SN_TRY(open_in_process(options, alone ? options.target : options.in_process, house, model));
  const auto once = [&] { return model.run(nullptr); };
  if (!alone) {
    // What serving is compared with: one caller that never waits.
    BenchOptions closed = options;
    closed.rate = 0;
    SN_ASSIGN(report.in_process, bench::load_calls(once, make_plan(closed, 1)));
    return {};
  }
  report.target = report.model = options.target;
  report.protocol = "in-process";
  report.place = model.place();
  for (const int connections : options.connections) {
    SN_ASSIGN(Outcome outcome, bench::load_calls(once, make_plan(options, connections)));
    report.runs.push_back({connections, std::move(outcome)});
  }
  return {};
}

double microseconds(bench::Histogram::Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"max", 100}};

void print_table(const BenchOptions& options, const Report& report) {
  std::printf("%s, model %s, %s", report.target.c_str(), report.model.c_str(),
              report.protocol.c_str());
  if (!report.place.empty()) std::printf(", %s", report.place.c_str());
  if (report.request_bytes > 0) std::printf(", %zu bytes a request", report.request_bytes);
  if (options.rate > 0) {
    std::printf("; open loop of %g requests/s, %s, timed from the moment each was due",
                options.rate, options.arrivals.c_str());
  } else {
    std::printf("; closed loop");
  }
  std::printf("; %g s\n\n%11s %11s", options.duration, "connections", "requests/s");
  for (const auto& [name, percent] : kPercentiles) std::printf(" %7s µs", name);
  std::printf(" %7s %11s %6s\n", "errors", "client CPU", report.in_process ? "ratio" : "");
  for (const Run& run : report.runs) {
    const Outcome& outcome = run.outcome;
    std::printf("%11d %11.0f", run.connections, outcome.rate());
    for (const auto& [name, percent] : kPercentiles) {
      std::printf(" %10.1f", microseconds(outcome.latencies.percentile(percent)));
    }
    const double all = outcome.seconds + options.warmup;
    std::printf(" %7llu %9.0f %%", static_cast<unsigned long long>(outcome.errors),
                100 * outcome.client_seconds / all);
    if (report.in_process) std::printf(" %6.3f", outcome.rate() / report.in_process->rate());
    std::printf("\n");
  }
  if (report.in_process) {
    std::printf("\nratio: to %.0f runs/s of the model in this process, p50 %.1f µs\n",
                report.in_process->rate(),
                microseconds(report.in_process->latencies.percentile(50)));
  }
  for (const Run& run : report.runs) {
    for (const auto& [message, count] : run.outcome.messages) {
      std::printf("\n%llu errors on %d connections: %s", static_cast<unsigned long long>(count),
                  run.connections, message.c_str());
    }
    if (!run.outcome.messages.empty()) std::printf("\n");
  }
}

void append_field(std::string& out, std::string_view name, double value) {
  base::append_json_string(out, name);
  out += ':';
  base::append_json_number(out, value);
  out += ',';
}

void append_outcome(std::string& out, const Outcome& outcome) {
  append_field(out, "requests_per_second", outcome.rate());
  append_field(out, "seconds", outcome.seconds);
  append_field(out, "client_cpu_seconds", outcome.client_seconds);
  out += base::str_cat("\"requests\":", outcome.latencies.count(), ",\"errors\":", outcome.errors,
                       ",\"error_messages\":{");
  for (const auto& [message, count] : outcome.messages) {
    if (out.back() != '{') out += ',';
    base::append_json_string(out, message);
    out += base::str_cat(":", count);
  }
  out += "},\"latency_us\":{";
  append_field(out, "mean", microseconds(outcome.latencies.mean()));
  append_field(out, "min", microseconds(outcome.latencies.least()));
  for (const auto& [name, percent] : kPercentiles) {
    append_field(out, name, microseconds(outcome.latencies.percentile(percent)));
  }
  out.back() = '}';
}

void print_json(const BenchOptions& options, const Report& report) {
  std::string out = "{\"target\":";
  base::append_json_string(out, report.target);
  out += ",\"model\":";
  base::append_json_string(out, report.model);
  out += ",\"protocol\":";
  base::append_json_string(out, report.protocol);
  if (!report.place.empty()) {
    out += ",\"place\":";
    base::append_json_string(out, report.place);
  }
  out += base::str_cat(",\"request_bytes\":", report.request_bytes, ",\"loop\":\"",
                       options.rate > 0 ? "open" : "closed", "\",");
  if (options.rate > 0) {
    append_field(out, "rate", options.rate);
    out += base::str_cat("\"arrivals\":\"", options.arrivals, "\",");
  }
  if (report.in_process) {
    out += "\"in_process\":{";
    append_outcome(out, *report.in_process);
    out += "},";
  }
  out += "\"runs\":[";
  for (const Run& run : report.runs) {
    if (out.back() != '[') out += ',';
    out += base::str_cat("{\"connections\":", run.connections, ",");
    if (report.in_process) {
      append_field(out, "of_in_process", run.outcome.rate() / report.in_process->rate());
    }
    append_outcome(out, run.outcome);
    out += '}';
  }
  std::printf("%s]}\n", out.c_str());
}

// A run in which nothing succeeded has measured nothing.
base::Status check_some_succeeded(const Report& report) {
  for (const Run& run : report.runs) {
    if (run.outcome.latencies.count() > 0) continue;
    const auto& messages = run.outcome.messages;
    return absl::UnavailableError(base::str_cat(
        "no request of ", run.outcome.errors, " on ", run.connections, " connections succeeded: ",
        messages.empty() ? "none was due, raise --rate or --duration" : messages.begin()->first));
  }
  return {};
}

base::Status run_bench(BenchOptions options) {
  Report report;
  const bool url = bench::looks_like_url(options.target);
  // An open loop needs room for the requests that are due while others are on their way.
  if (options.connections.empty()) options.connections = {url && options.rate > 0 ? 64 : 1};
  if (!url && !options.in_process.empty()) {
    return absl::InvalidArgumentError(base::str_cat(
        "--in-process compares a server with a model, but ", options.target, " is not a URL"));
  }
  if (url) SN_TRY(bench_server(options, report));
  if (!url || !options.in_process.empty()) SN_TRY(bench_in_process(options, report));
  SN_TRY(check_some_succeeded(report));
  options.json ? print_json(options, report) : print_table(options, report);
  return {};
}

void add_load_options(CLI::App& command, BenchOptions& options) {
  command
      .add_option("--concurrency", options.connections,
                  "Connections, each with one request at a time (1; with --rate 64); several "
                  "numbers, 1,8,64, are measured one after the other")
      ->type_name("N,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 20000));
  command
      .add_option("--rate", options.rate,
                  "Open loop: requests due each second, whether or not earlier ones are answered; "
                  "without it the reply to one brings the next")
      ->type_name("R")
      ->check(CLI::Range(0.001, 1e7));
  command.add_option("--arrivals", options.arrivals, "Gaps of the open loop")
      ->check(CLI::IsMember({"poisson", "constant"}))
      ->capture_default_str();
  command.add_option("--duration", options.duration, "Seconds measured")
      ->type_name("S")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  command.add_option("--warmup", options.warmup, "Seconds before that, not measured")
      ->type_name("S")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command.add_option("--timeout", options.timeout, "Seconds until a request counts as failed")
      ->type_name("S")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  command.add_option("--threads", options.threads, "Client threads that share the connections")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
}

void add_request_options(CLI::App& command, BenchOptions& options) {
  command.add_option("--model", options.model, "Model to ask, where the URL names none")
      ->type_name("NAME");
  command.add_option("--model-version", options.version, "Its version")->type_name("V");
  command.add_option("--encoding", options.encoding, "How tensors travel over REST")
      ->check(CLI::IsMember({"binary", "json"}))
      ->capture_default_str();
  command.add_option("--header", options.headers, "Sent with every request; may be repeated")
      ->type_name("NAME:VALUE")
      ->expected(1)
      ->take_all();
  command
      .add_option("--input", options.inputs,
                  "Input from FILE: .npy, .json {\"shape\":[...],\"data\":[...]}, or a picture")
      ->type_name("[NAME=]FILE")
      ->expected(1)
      ->take_all();
  command.add_option("--fill", options.fill, "Inputs without --input")
      ->check(CLI::IsMember({"zeros", "random"}))
      ->capture_default_str();
  command
      .add_option("--shape", options.shapes,
                  "Shape of an input whose sizes may vary (1 each unless said); may be repeated")
      ->type_name("NAME=N,...")
      ->expected(1)
      ->take_all();
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Load a server or a model and time the answers");
  command
      ->add_option("TARGET", options->target,
                   "http://HOST:PORT[/v2/models/MODEL], grpc://HOST:PORT[/MODEL], or a MODEL file "
                   "or folder, run in this process")
      ->required();
  add_load_options(*command, *options);
  add_request_options(*command, *options);
  command
      ->add_option("--in-process", options->in_process,
                   "Also run MODEL in this process and print the ratio to it")
      ->type_name("MODEL");
  command->add_flag("--json", options->json, "Print JSON");
  options->model_options.add_to(*command);
  command->callback([options, &exit_code] { exit_code = finish(run_bench(*options)); });
}

}  // namespace supernova::apps
