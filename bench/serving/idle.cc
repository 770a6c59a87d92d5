#include "idle.h"

#include <algorithm>
#include <thread>

#include "load/http_socket.h"

namespace supernova::bench {
namespace {

constexpr double kMegabyte = 1e6;
constexpr double kKilobyte = 1e3;

struct Start {
  double ready_ms = 0;
  double resident = 0;  // bytes, after some requests
};

// Memory settles a moment after the last request or load.
uint64_t settled_bytes(const Process& process) {
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  return process.resident_bytes();
}

base::Result<Start> start_often(const Options& options, Path path, const std::string& file,
                                const BenchModel& model, const Requests& requests) {
  std::vector<double> ready, resident;
  for (int i = 0; i < options.ready_times; ++i) {
    SN_ASSIGN(const Process process, Process::start(command_of(options.programs, path, file, model),
                                                    options.cores.server));
    ready.push_back(process.ready_seconds() * 1e3);
    SN_ASSIGN(const Target target, parse_target("http://" + process.http()));
    SN_TRY(exchange_http(target, requests.binary).status());
    // The server lets go of what only loading needed; requests bring back what they need.
    settled_bytes(process);
    for (int request = 0; request < 100; ++request) {
      SN_TRY(exchange_http(target, requests.binary).status());
    }
    resident.push_back(static_cast<double>(settled_bytes(process)));
  }
  return Start{median(ready), median(resident)};
}

base::Status measure_further_models(const Options& options, const BenchModel& model,
                                    IdleCosts& costs) {
  std::vector<std::string> words{options.programs.server, "--log-level", "error", "serve"};
  words.insert(words.end(), options.programs.server_ports.begin(),
               options.programs.server_ports.end());
  std::vector<double> bytes;
  for (int i = 0; i <= options.further_models; ++i) {
    const std::string file = base::str_cat(options.folder, "/further", i, ".onnx");
    SN_TRY(write_file(file, model.onnx));
    words.push_back(file);
    if (i != 0 && i != options.further_models) continue;
    SN_ASSIGN(const Process process, Process::start(words, options.cores.server));
    bytes.push_back(static_cast<double>(settled_bytes(process)));
  }
  costs.further_models = options.further_models;
  if (options.further_models > 0) {
    costs.kb_per_model = (bytes.back() - bytes.front()) / options.further_models / kKilobyte;
  }
  return {};
}

base::Result<double> active_p99(const Options& options, const Target& target,
                                const Requests& requests) {
  std::vector<double> p99s;
  for (int i = 0; i < options.rounds; ++i) {
    Plan plan;
    plan.connections = 8;
    plan.duration = seconds(options.seconds);
    SN_ASSIGN(const Outcome outcome, load_http(target, requests.binary, plan));
    p99s.push_back(
        std::chrono::duration<double, std::micro>(outcome.latencies.percentile(99)).count());
  }
  return median(std::move(p99s));
}

// Connections that stay open after one answered request each.
base::Status open_idle(const Target& target, int number, std::vector<Socket>& sockets) {
  const std::string request =
      base::str_cat("GET /v2/health/live HTTP/1.1\r\nHost: ", target.address(), "\r\n\r\n");
  for (int i = 0; i < number; ++i) {
    SN_ASSIGN(Socket socket, connect_to(target, seconds(10)));
    SN_TRY(exchange_on(socket, request).status());
    sockets.push_back(std::move(socket));
  }
  return {};
}

base::Status measure_connections(const Options& options, const std::string& file,
                                 const BenchModel& model, const Requests& requests,
                                 IdleCosts& costs) {
  const uint64_t files = raise_file_limit();
  costs.connections = static_cast<int>(std::min<uint64_t>(
      static_cast<uint64_t>(options.idle_connections), files > 300 ? files - 300 : 0));
  if (costs.connections == 0) return {};
  SN_ASSIGN(const Process process,
            Process::start(command_of(options.programs, Path::kRestBinary, file, model),
                           options.cores.server));
  SN_ASSIGN(const Target target, parse_target("http://" + process.http()));
  SN_ASSIGN(costs.p99_before, active_p99(options, target, requests));
  const uint64_t before = settled_bytes(process);
  std::vector<Socket> sockets;
  SN_TRY(open_idle(target, costs.connections, sockets));
  costs.kb_per_connection =
      (static_cast<double>(settled_bytes(process)) - static_cast<double>(before)) /
      costs.connections / kKilobyte;
  SN_ASSIGN(costs.p99_beside, active_p99(options, target, requests));
  return {};
}

}  // namespace

base::Result<IdleCosts> measure_idle(const Options& options, const BenchModel& model) {
  IdleCosts costs;
  const std::string path = base::str_cat(options.folder, "/", model.name, ".onnx");
  SN_TRY(write_file(path, model.onnx));
  SN_ASSIGN(const Requests requests, Requests::make(model, bench_inputs(model)));
  SN_ASSIGN(const Start server, start_often(options, Path::kRestBinary, path, model, requests));
  SN_ASSIGN(const Start floor, start_often(options, Path::kFloor, path, model, requests));
  costs.ready_ms = server.ready_ms;
  costs.floor_ready_ms = floor.ready_ms;
  costs.resident_mb = server.resident / kMegabyte;
  costs.floor_resident_mb = floor.resident / kMegabyte;
  SN_TRY(measure_further_models(options, model, costs));
  SN_TRY(measure_connections(options, path, model, requests, costs));
  return costs;
}

}  // namespace supernova::bench
