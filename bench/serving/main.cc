// supernova-bench-serving: what serving costs on top of the bare runtime, measured in one run: the
// server over each protocol, a floor program, an empty gRPC service, the runtime in this process.
// Prints a Markdown table, or JSON. See bench/README.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "base/json_writer.h"
#include "idle.h"
#include "rounds.h"

namespace supernova::bench {
namespace {

namespace fs = std::filesystem;

void print_lines(const std::vector<Line>& lines) {
  const auto cell = [](double value, const char* format) {
    if (value == 0) {
      std::printf(" - |");
    } else {
      std::printf(format, value);
    }
  };
  for (const Line& line : lines) {
    const std::string connections = line.connections == 0 ? "-" : std::to_string(line.connections);
    std::printf("| %s | %s | %s | %.0f | %.1f | %.1f |", line.model.c_str(),
                std::string(path_name(line.path)).c_str(), connections.c_str(), line.rate, line.p50,
                line.p99);
    cell(line.cpu, " %.1f |");
    cell(line.calls, " %.2f |");
    cell(line.switches, " %.2f |");
    cell(line.allocations, " %.1f |");
    cell(line.of_in_process, " %.3f |");
    cell(line.of_wall, " %.2f |");
    cell(line.p50_of_wall, " %.2f |");
    std::printf(" %.0f %% |\n", 100 * line.client);
  }
  std::fflush(stdout);
}

void print_idle(const IdleCosts& costs) {
  std::printf("\n| idle | server | floor |\n|---|---|---|\n");
  std::printf("| ready after start, one small model | %.1f ms | %.1f ms |\n", costs.ready_ms,
              costs.floor_ready_ms);
  std::printf("| resident memory with it | %.1f MB | %.1f MB |\n", costs.resident_mb,
              costs.floor_resident_mb);
  std::printf("| each further small model, of %d | %.1f KB | |\n", costs.further_models,
              costs.kb_per_model);
  std::printf("| each idle connection, of %d | %.2f KB | |\n", costs.connections,
              costs.kb_per_connection);
  std::printf("| p99 of 8 active ones, without and beside them | %.1f, %.1f µs | |\n",
              costs.p99_before, costs.p99_beside);
}

void append_number(std::string& out, std::string_view name, double value) {
  base::append_json_string(out, name);
  out += ':';
  base::append_json_number(out, value);
  out += ',';
}

void print_json(const Options& options, const std::vector<Line>& lines,
                const std::optional<IdleCosts>& costs) {
  std::string out = base::str_cat("{\"rounds\":", options.rounds, ",");
  append_number(out, "seconds", options.seconds);
  out += "\"lines\":[";
  for (const Line& line : lines) {
    if (out.back() != '[') out += ',';
    out += base::str_cat(R"({"model":")", line.model, R"(","path":")", path_name(line.path),
                         R"(","connections":)", line.connections, ",");
    append_number(out, "requests_per_second", line.rate);
    append_number(out, "p50_us", line.p50);
    append_number(out, "p99_us", line.p99);
    append_number(out, "server_cpu_us", line.cpu);
    append_number(out, "system_calls", line.calls);
    append_number(out, "voluntary_switches", line.switches);
    append_number(out, "allocations", line.allocations);
    append_number(out, "of_in_process", line.of_in_process);
    append_number(out, "of_wall", line.of_wall);
    append_number(out, "p50_of_wall", line.p50_of_wall);
    append_number(out, "client_cpu", line.client);
    out.back() = '}';
  }
  out += ']';
  if (costs) {
    out += ",\"idle\":{";
    append_number(out, "ready_ms", costs->ready_ms);
    append_number(out, "floor_ready_ms", costs->floor_ready_ms);
    append_number(out, "resident_mb", costs->resident_mb);
    append_number(out, "floor_resident_mb", costs->floor_resident_mb);
    append_number(out, "further_models", costs->further_models);
    append_number(out, "kb_per_model", costs->kb_per_model);
    append_number(out, "connections", costs->connections);
    append_number(out, "kb_per_connection", costs->kb_per_connection);
    append_number(out, "active_p99_us_before", costs->p99_before);
    append_number(out, "active_p99_us_beside", costs->p99_beside);
    out.back() = '}';
  }
  std::printf("%s}\n", out.c_str());
}

base::Status measure(const Options& options, bool json, bool idle) {
  if (!json) {
    std::printf(
        "%d rounds of %g s each, median; servers on core %d, client on core %d (-1: anywhere)\n\n"
        "| model | path | connections | requests/s | p50 µs | p99 µs | server CPU µs | system "
        "calls | switches | allocations | of in-process | of wall | p50 of wall | client CPU |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        options.rounds, options.seconds, options.cores.server, options.cores.client);
    std::fflush(stdout);
  }
  std::vector<Line> all;
  for (const std::string& name : options.models) {
    SN_ASSIGN(const std::vector<Line> lines,
              measure_requests(options, name == "mlp" ? small_mlp() : convnet()));
    if (!json) print_lines(lines);
    all.insert(all.end(), lines.begin(), lines.end());
  }
  std::optional<IdleCosts> costs;
  if (idle) {
    SN_ASSIGN(costs, measure_idle(options, small_mlp()));
    if (!json) print_idle(*costs);
  }
  if (json) print_json(options, all, costs);
  return {};
}

base::Status run(Options options, bool json, bool idle) {
  std::string folder = (fs::temp_directory_path() / "supernova-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::InternalError("can't make a temporary folder");
  }
  options.folder = folder;
  options.cores = choose_cores();
  options.programs.find_ports();
  // Before any library starts threads of its own.
  pin_to_core(options.cores.client);
  const base::Status status = measure(options, json, idle);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return status;
}

}  // namespace
}  // namespace supernova::bench

int main(int argc, char** argv) {
  supernova::bench::Options options;
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  options.programs = supernova::bench::Programs::beside(self.parent_path().string());
  bool json = false;
  bool no_idle = false;
  CLI::App app("Measures the server against the bare runtime; prints a Markdown table");
  app.add_option("--server", options.programs.server, "The supernova program")
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Seconds of each measurement in a round")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "Connections")
      ->delimiter(',')
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--models", options.models, "Models")
      ->delimiter(',')
      ->check(CLI::IsMember({"mlp", "convnet"}))
      ->capture_default_str();
  app.add_option("--ready-times", options.ready_times, "Starts that are timed")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--further-models", options.further_models, "Further small models")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--idle-connections", options.idle_connections, "Idle connections")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_flag("--no-idle", no_idle, "Leave out start, memory and idle connections");
  app.add_flag("--large-pages", options.large_pages,
               "Put the memory of the in-process runs on large pages, as the server does its own");
  app.add_flag("--json", json, "Print JSON");
  CLI11_PARSE(app, argc, argv);
  const auto status = supernova::bench::run(options, json, !no_idle);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(supernova::base::message(status)).c_str());
  return 1;
}
