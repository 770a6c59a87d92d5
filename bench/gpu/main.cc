// supernova-bench-gpu: the server against the bare runtime on the same device, in one run, round
// after round. Prints a Markdown table, and JSON into a file. See bench/README.md; bench/gpu/run
// does the rest.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bare/bare_model.h"
#include "base/json_writer.h"
#include "load/http_reply.h"
#include "load/http_socket.h"
#include "load/load.h"
#include "load/request.h"
#include "nets.h"
#include "serving/process.h"

namespace supernova::bench {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string device = "nvidia:0";
  std::vector<std::string> nets{"resnet50", "mobilenet"};
  std::vector<std::string> types{"fp32", "fp16"};
  std::vector<int64_t> batches{1, 8, 32, 64};
  std::vector<int> connections{1, 4};
  int64_t size = 224;
  int rounds = 5;
  double seconds = 2;
  std::string server;
  std::string json;
  std::string folder;
};

struct Line {
  std::string net;
  std::string type;
  int64_t batch = 0;
  int connections = 0;  // 0 = the bare runtime
  double rate = 0;      // pictures a second, median of the rounds
  double p50 = 0;       // milliseconds
  double of_bare = 0;   // rates, round by round
};

struct Case {
  std::string net;
  std::string type;
  int64_t batch = 0;
};

// The provider that drives the device, as the bare runtime is told.
base::Result<std::string> provider_of(std::string_view device) {
  if (device.starts_with("nvidia")) return std::string("cuda");
  if (device.starts_with("vulkan")) return std::string("webgpu");
  if (device == "cpu") return std::string();
  return absl::InvalidArgumentError(
      base::str_cat("the device must be nvidia:N, vulkan:N or cpu, not '", device, "'"));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

double milliseconds(Histogram::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// A device need not add up in the same order every time.
base::Status check_close(std::string_view here, std::string_view served, tensor::DataType type) {
  const std::vector<float> a = numbers(here, type);
  const std::vector<float> b = numbers(served, type);
  if (a.size() != b.size()) {
    return absl::InternalError(base::str_cat("the server answers with ", b.size(),
                                             " numbers, the runtime with ", a.size()));
  }
  float largest = 0;
  float difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i]));
    difference = std::max(difference, std::abs(a[i] - b[i]));
    if (std::isnan(a[i]) || std::isnan(b[i])) return absl::InternalError("the net gives NaN");
  }
  const float bound = (type == tensor::DataType::kFp16 ? 0.05F : 0.005F) * largest;
  if (largest > 0 && difference <= bound) return {};
  return absl::InternalError(base::str_cat("the server's numbers differ from the runtime's by ",
                                           difference, " of ", largest));
}

// The two that are compared, on one net.
class Pair {
 public:
  static base::Result<std::unique_ptr<Pair>> open(const Options& options, const Case& what) {
    const auto type = what.type == "fp16" ? tensor::DataType::kFp16 : tensor::DataType::kFp32;
    SN_ASSIGN(const Net net, make_net(what.net, type, what.batch, options.size));
    const std::string file = options.folder + "/" + what.net + ".onnx";
    std::ofstream(file, std::ios::binary) << net.onnx;
    SN_ASSIGN(const std::string provider, provider_of(options.device));
    SN_ASSIGN(BareModel bare, BareModel::open(file, provider));
    std::vector<std::string> words{options.server, "--log-level", "error", "serve",
                                   file,           "--http-port", "0"};
    if (options.device != "cpu") words.insert(words.end(), {"--device", options.device});
    SN_ASSIGN(Process server, Process::start(std::move(words), -1));
    std::unique_ptr<Pair> pair(new Pair(std::move(bare), std::move(server)));
    SN_TRY(pair->prepare(what.net, net));
    return pair;
  }

  base::Result<Outcome> load_bare(double duration) {
    return load_calls([&] { return bare_.run(); }, plan(1, duration));
  }

  base::Result<Outcome> load_server(int connections, double duration) {
    SN_ASSIGN(Outcome outcome, load_http(target_, request_, plan(connections, duration)));
    if (outcome.errors == 0) return outcome;
    return absl::InternalError(
        base::str_cat(outcome.errors, " requests failed: ", outcome.messages.begin()->first));
  }

 private:
  Pair(BareModel bare, Process server) : bare_(std::move(bare)), server_(std::move(server)) {}

  static Plan plan(int connections, double duration) {
    Plan made;
    made.connections = connections;
    made.warmup = seconds(duration / 4);
    made.duration = seconds(duration);
    made.timeout = seconds(120);
    return made;
  }

  base::Status prepare(const std::string& name, const Net& net) {
    const tensor::Tensor input = picture(net);
    std::memcpy(bare_.input_data(), input.buffer.data(), input.buffer.size());
    SN_TRY(bare_.run());
    SN_ASSIGN(target_, parse_target(base::str_cat("http://", server_.http())));
    target_.model = name;
    SN_ASSIGN(request_, http_infer_request(target_, {input}, Encoding::kBinary));
    SN_ASSIGN(const HttpReply reply, exchange_http(target_, request_));
    if (reply.status() != 200) {
      return absl::InternalError(base::str_cat("the server: ", error_text(reply.body())));
    }
    // The outputs' bytes are the last ones of the reply.
    const std::string_view here = bare_.outputs()[0].buffer.view();
    const std::string_view body = reply.body();
    if (body.size() < here.size()) return absl::InternalError("the reply is short");
    return check_close(here, body.substr(body.size() - here.size()), net.type);
  }

  BareModel bare_;
  Process server_;
  Target target_;
  std::string request_;
};

base::Result<std::vector<Line>> measure(const Options& options, const Case& what) {
  SN_ASSIGN(const auto pair, Pair::open(options, what));
  std::vector<int> ways{0};
  ways.insert(ways.end(), options.connections.begin(), options.connections.end());
  std::vector<std::vector<double>> rates(ways.size());
  std::vector<std::vector<double>> ratios(ways.size());
  std::vector<std::vector<double>> p50s(ways.size());
  for (int round = 0; round <= options.rounds; ++round) {
    double bare = 0;
    for (size_t way = 0; way < ways.size(); ++way) {
      SN_ASSIGN(const Outcome outcome, ways[way] == 0
                                           ? pair->load_bare(options.seconds)
                                           : pair->load_server(ways[way], options.seconds));
      const double rate = outcome.rate() * static_cast<double>(what.batch);
      if (way == 0) bare = rate;
      if (round == 0) continue;  // warms up
      rates[way].push_back(rate);
      ratios[way].push_back(bare > 0 ? rate / bare : 0);
      p50s[way].push_back(milliseconds(outcome.latencies.percentile(50)));
    }
  }
  std::vector<Line> lines;
  for (size_t way = 0; way < ways.size(); ++way) {
    lines.push_back({what.net, what.type, what.batch, ways[way], median(rates[way]),
                     median(p50s[way]), median(ratios[way])});
  }
  return lines;
}

// "-" where no run came to its end in the time given.
std::string figure(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return value > 0 ? text : "-";
}

void print(const Line& line) {
  const std::string way =
      line.connections == 0 ? "bare runtime"
                            : base::str_cat("server, ", line.connections,
                                            line.connections == 1 ? " connection" : " connections");
  std::printf("| %s | %s | %lld | %s | %s | %s | %s |\n", line.net.c_str(), line.type.c_str(),
              static_cast<long long>(line.batch), way.c_str(), figure(line.rate, 1).c_str(),
              figure(line.p50, 3).c_str(), figure(line.of_bare, 3).c_str());
  std::fflush(stdout);
}

base::Status write_json(const Options& options, const std::vector<Line>& lines) {
  std::string out = "{\"device\":";
  base::append_json_string(out, options.device);
  out += base::str_cat(",\"rounds\":", options.rounds, ",\"seconds\":", options.seconds,
                       ",\"size\":", options.size, ",\"lines\":[");
  for (const Line& line : lines) {
    if (out.back() != '[') out += ',';
    out += base::str_cat(R"({"net":")", line.net, R"(","type":")", line.type, R"(","batch":)",
                         line.batch, ",\"connections\":", line.connections,
                         ",\"pictures_per_second\":", line.rate, ",\"p50_ms\":", line.p50,
                         ",\"of_bare\":", line.of_bare, "}");
  }
  std::ofstream file(options.json);
  file << out << "]}\n";
  return file.good() ? base::Status()
                     : base::Status(absl::InternalError("can't write " + options.json));
}

base::Status run(const Options& options) {
  std::printf(
      "%s: %d rounds of %g s each, median; pictures of %lld x %lld\n\n"
      "| net | type | batch | way | pictures/s | p50 ms | of bare "
      "|\n|---|---|---|---|---|---|---|\n",
      options.device.c_str(), options.rounds, options.seconds, static_cast<long long>(options.size),
      static_cast<long long>(options.size));
  std::vector<Line> all;
  for (const std::string& net : options.nets) {
    for (const std::string& type : options.types) {
      for (const int64_t batch : options.batches) {
        auto lines = measure(options, {net, type, batch});
        if (!lines.ok()) {
          return base::annotate(lines.status(), base::str_cat(net, " ", type, " batch ", batch));
        }
        for (const Line& line : *lines) print(line);
        all.insert(all.end(), lines->begin(), lines->end());
      }
    }
  }
  return options.json.empty() ? base::Status() : write_json(options, all);
}

int run_in_folder(Options options) {
  std::string folder = (fs::temp_directory_path() / "supernova-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    std::fprintf(stderr, "error: can't make a temporary folder\n");
    return 1;
  }
  options.folder = folder;
  const base::Status status = run(options);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace supernova::bench

int main(int argc, char** argv) {
  using supernova::bench::Options;
  Options options;
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  options.server = (self.parent_path() / "supernova").string();
  CLI::App app{"The server against the bare runtime on the same device"};
  app.add_option("--device", options.device, "nvidia:N, vulkan:N or cpu");
  app.add_option("--nets", options.nets, "resnet50, mobilenet")->delimiter(',');
  app.add_option("--types", options.types, "fp32, fp16")
      ->delimiter(',')
      ->check(CLI::IsMember({"fp32", "fp16"}));
  app.add_option("--batches", options.batches)->delimiter(',')->check(CLI::Range(1, 1024));
  app.add_option("--connections", options.connections)->delimiter(',')->check(CLI::Range(1, 256));
  app.add_option("--size", options.size, "height and width of a picture")
      ->check(CLI::Range(32, 512));
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 1000));
  app.add_option("--seconds", options.seconds, "of each measurement")
      ->check(CLI::Range(0.01, 600.0));
  app.add_option("--server", options.server, "the program to measure");
  app.add_option("--json", options.json, "a file that gets the figures");
  CLI11_PARSE(app, argc, argv);
  return supernova::bench::run_in_folder(std::move(options));
}
