// supernova conformance: runs the engine suite on this machine's hardware.
#include <sys/utsname.h>

#include <cstdio>
#include <ctime>
#include <fstream>

#include "command.h"
#include "conformance/report.h"
#include "device/select.h"
#include "engine/option_names.h"

namespace supernova::apps {
namespace {

struct ConformanceOptions {
  ModelOptions model;
  std::string filter;
  std::string output;
  int reloads = 100;
  bool json = false;
};

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[16];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &parts);
  return text;
}

// "a.so:b.so" for "/opt/x/a.so:/opt/b.so": where libraries lie is nobody's business.
std::string without_folders(const std::string& paths) {
  std::string names;
  for (const char c : paths) {
    if (c == '/') names.erase(names.rfind(':') + 1);
    if (c != '/') names += c;
  }
  return names;
}

// One line for each case as it ends, so that a slow device is seen to work.
void show_progress(const conformance::CaseResult& result) {
  std::fprintf(stderr, "%-9s  %s: %s\n",
               std::string(conformance::outcome_name(result.outcome)).c_str(), result.group.c_str(),
               result.name.c_str());
}

base::Status conformance(const ConformanceOptions& options) {
  if (options.model.engine.empty()) {
    return absl::InvalidArgumentError("name the engine to try with --engine");
  }
  SN_ASSIGN(const auto load, options.model.load_options());
  // Opened first: the suite may take long.
  std::ofstream file;
  const auto can_not_write = [&options] {
    return absl::FailedPreconditionError(
        base::str_cat("the report can't be written to '", options.output, "'"));
  };
  if (!options.output.empty()) {
    file.open(options.output, std::ios::binary);
    if (!file) return can_not_write();
  }
  House house;
  SN_TRY(house.open(options.model));
  const auto devices = house.devices.get();
  SN_ASSIGN(const device::Device* device,
            device::select(*devices, options.model.device.empty() ? "cpu" : options.model.device));
  conformance::SuiteOptions suite;
  suite.subject.device = device::to_abi(*device);
  suite.subject.options = load.options;
  if (device->abi_kind != SN_DEVICE_CPU) suite.subject.options[engine::kDevice] = device->id;
  SN_ASSIGN(const auto engine,
            house.engines.use(options.model.engine, suite.subject.device, load.options));
  SN_ASSIGN(const engine::Isolation isolation,
            house.engines.isolation(options.model.engine, suite.subject.device, load.options));
  suite.subject.engine = engine.get();
  if (auto reference = house.engines.find("onnxruntime"); reference.ok()) {
    suite.reference.engine = *reference;
  }
  suite.filter = options.filter;
  suite.reloads = options.reloads;
  if (!options.json) suite.on_result = &show_progress;

  conformance::Report report;
  report.program_version = SUPERNOVA_VERSION;
  report.date = today();
  report.engine = suite.subject.engine->name();
  report.engine_version = suite.subject.engine->version();
  report.isolation = engine::isolation_name(isolation);
  report.options = load.options;
  report.delegate = without_folders(suite.subject.delegate());
  for (const char* key : {conformance::kDelegateOption, "ep_library"}) {
    const auto found = report.options.find(key);
    if (found != report.options.end()) found->second = without_folders(found->second);
  }
  report.filter = options.filter;
  report.reloads = options.reloads;
  utsname system{};
  if (::uname(&system) == 0) {
    report.architecture = system.machine;
    report.kernel = system.release;
  }
  report.device = *device;
  for (const device::Device& other : *devices) {
    if (other.abi_kind == SN_DEVICE_CPU) report.processor = other.model;
  }
  report.results = conformance::run_suite(suite);
  if (report.results.empty()) {
    return absl::NotFoundError(
        base::str_cat("no case of the suite has '", options.filter, "' in its name"));
  }
  std::printf("%s", (options.json ? to_json(report) : to_text(report)).c_str());
  if (!options.output.empty() && !(file << to_json(report) << std::flush)) return can_not_write();
  if (report.ok()) return {};
  const size_t failures = report.count(conformance::Outcome::kFailed);
  const std::string refused = report.first(conformance::Outcome::kRefused);
  return absl::AbortedError(
      failures > 0 ? base::str_cat(failures, " of ", report.results.size(), " cases failed")
                   : base::str_cat("no case passed on the device itself",
                                   refused.empty() ? "" : base::str_cat("; refused: ", refused)));
}

}  // namespace

void add_conformance(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ConformanceOptions>();
  CLI::App* command =
      app.add_subcommand("conformance", "Run the engine suite on this machine's hardware");
  options->model.add_to(*command);
  command->get_option("--engine")->description("Engine to try; has to be named");
  command->get_option("--device")
      ->description("Device to try it on: an id of 'supernova devices', or 'gpu' (default: cpu)");
  command->add_option("--filter", options->filter, "Only cases whose group/name contains this")
      ->type_name("TEXT");
  command->add_option("--reloads", options->reloads, "How often a model is opened and closed")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--output", options->output, "Write the report there, as JSON")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print the report as JSON");
  command->callback([options, &exit_code] { exit_code = finish(conformance(*options)); });
}

}  // namespace supernova::apps
