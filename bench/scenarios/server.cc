#include "server.h"

#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "load/http_socket.h"
#include "load/request.h"

namespace supernova::bench {
namespace {

namespace fs = std::filesystem;

base::Status write(const fs::path& path, const std::string& content) {
  if (std::ofstream(path, std::ios::binary) << content) return {};
  return absl::InternalError(base::str_cat("can't write ", path.string()));
}

}  // namespace

base::Result<Server> Server::start(const Settings& settings, const std::string& scenario,
                                   const std::vector<Configured>& models,
                                   const std::vector<std::string>& flags) {
  const fs::path repository = fs::path(settings.folder) / scenario;
  for (const Configured& model : models) {
    fs::create_directories(repository / model.name / "1");
    SN_TRY(write(repository / model.name / "1" / "model.onnx", model.model.onnx));
    SN_TRY(write(repository / model.name / "config.pbtxt", model.config));
  }
  std::vector<std::string> words{
      settings.program,     "--log-level",      "error", "serve", "--exit-on-error",
      "--model-repository", repository.string()};
  for (const char* port : {"--http-port", "--grpc-port", "--metrics-port"}) {
    words.insert(words.end(), {port, "0"});
  }
  words.insert(words.end(), flags.begin(), flags.end());
  SN_ASSIGN(Process process, Process::start(words, settings.cores.server));
  return Server(std::move(process));
}

base::Result<Outcome> Server::load(const Configured& model, const Plan& plan) const {
  SN_ASSIGN(Target target, parse_target(base::str_cat("http://", process_.http())));
  target.model = model.name;
  SN_ASSIGN(const std::string request,
            http_infer_request(target, bench_inputs(model.model), Encoding::kBinary));
  return load_http(target, request, plan);
}

base::Result<Counted> Server::counted(const std::string& model) const {
  SN_ASSIGN(const Target target, parse_target(base::str_cat("http://", process_.http())));
  SN_ASSIGN(const std::string body,
            ask_http(target, "GET", base::str_cat("/v2/models/", model, "/stats"), ""));
  simdjson::dom::parser parser;
  Counted counted;
  simdjson::dom::element stats;
  if (parser.parse(body)["model_stats"].at(0).get(stats) != simdjson::SUCCESS ||
      stats["inference_count"].get(counted.inferences) != simdjson::SUCCESS ||
      stats["execution_count"].get(counted.runs) != simdjson::SUCCESS ||
      stats["inference_stats"]["cache_hit"]["count"].get(counted.hits) != simdjson::SUCCESS ||
      stats["inference_stats"]["cache_miss"]["count"].get(counted.misses) != simdjson::SUCCESS) {
    return absl::InternalError(base::str_cat("no statistics of ", model, ": ", body));
  }
  return counted;
}

void Figures::add(const Outcome& outcome, double cpu_seconds) {
  rates.push_back(outcome.rate());
  p50.push_back(microseconds(outcome.latencies.percentile(50)));
  p99.push_back(microseconds(outcome.latencies.percentile(99)));
  const uint64_t requests = outcome.latencies.count() + outcome.errors;
  cpu.push_back(1e6 * cpu_seconds / static_cast<double>(std::max<uint64_t>(1, requests)));
}

double microseconds(Histogram::Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    ratios.push_back(b[i] > 0 ? a[i] / b[i] : 0);
  }
  return median(std::move(ratios));
}

base::Status all_answered(const Outcome& outcome, std::string_view what) {
  if (outcome.errors == 0) return {};
  return absl::InternalError(base::str_cat(what, ": ", outcome.errors,
                                           " requests failed: ", outcome.messages.begin()->first));
}

}  // namespace supernova::bench
