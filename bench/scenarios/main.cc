// supernova-bench-scenarios: what batching, the response cache and the queue's limits do to rate
// and latency. Prints Markdown tables. See bench/README.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "server.h"

namespace supernova::bench {
namespace {

namespace fs = std::filesystem;

using Measure = base::Status (*)(const Settings&);
const std::map<std::string, Measure> kScenarios = {
    {"batching", &measure_batching}, {"cache", &measure_cache}, {"overload", &measure_overload}};

base::Status run(Settings settings, const std::vector<std::string>& scenarios) {
  std::string folder = (fs::temp_directory_path() / "supernova-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::InternalError("can't make a temporary folder");
  }
  settings.folder = folder;
  settings.cores = choose_cores();
  raise_file_limit();
  pin_to_core(settings.cores.client);
  std::printf(
      "%d rounds of %g s each, median; server on core %d, client on core %d (-1: anywhere)\n",
      settings.rounds, settings.seconds, settings.cores.server, settings.cores.client);
  base::Status status;
  for (const std::string& scenario : scenarios) {
    status = kScenarios.at(scenario)(settings);
    if (!status.ok()) break;
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return status;
}

}  // namespace
}  // namespace supernova::bench

int main(int argc, char** argv) {
  supernova::bench::Settings settings;
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  settings.program = (self.parent_path() / "supernova").string();
  std::vector<std::string> scenarios{"batching", "cache", "overload"};
  CLI::App app("Measures batching, the response cache and overload; prints Markdown tables");
  app.add_option("--server", settings.program, "The supernova program")->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Rounds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "Seconds of each measurement in a round")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--scenarios", scenarios, "Which of them")
      ->delimiter(',')
      ->check(CLI::IsMember({"batching", "cache", "overload"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto status = supernova::bench::run(settings, scenarios);
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(supernova::base::message(status)).c_str());
  return 1;
}
