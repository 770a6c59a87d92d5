#include "command.h"

#include <cstdio>

#include "base/log.h"
#include "engine/worker/worker_engine.h"
#include "option_checks.h"

namespace supernova::apps {

int finish(const base::Status& status) {
  if (status.ok()) return 0;
  std::string line = "error: ";
  for (const char c : base::message(status)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    // One line whatever a library says: control characters become single spaces.
    if (!control) {
      line += c;
    } else if (line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.back() == ' ') line.pop_back();
  std::fprintf(stderr, "%s\n", line.c_str());
  return 1;
}

void ModelOptions::add_to(CLI::App& command) {
  command.add_option("--engine", engine, "Engine that runs the model (default: the best here)")
      ->type_name("NAME")
      ->check(not_empty());
  command
      .add_option(
          "--device", device,
          "Device to run on: an id of 'supernova devices', 'gpu', or 'auto' for the best one "
          "that runs all of the model (default: the CPU)")
      ->type_name("ID")
      ->check(not_empty());
  command
      .add_option("--engine-library", engine_libraries,
                  "Shared library of an out-of-tree engine; may be repeated (two versions of one "
                  "side by side need names)")
      ->type_name("[NAME=]FILE")
      ->expected(1)
      ->take_all();
  command.add_option("--option", options, "Importer or engine option; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  artefacts.add_to(command);
  workers.add_to(command);
}

base::Result<model::LoadOptions> ModelOptions::load_options() const {
  model::LoadOptions load;
  load.engine = engine;
  load.device = device;
  for (const std::string& option : options) {
    const size_t equals = option.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(
          base::str_cat("--option ", option, ": give it as KEY=VALUE"));
    }
    load.options[option.substr(0, equals)] = option.substr(equals + 1);
  }
  return load;
}

base::Status House::open(const ModelOptions& options, bool keep_going) {
  SN_ASSIGN(engine::WorkerRules rules, options.workers.rules());
  const auto isolation = rules.isolation;
  artefacts.configure(options.artefacts.provider_options(options.engine_libraries));
  import::register_importers(importers);
  engines.use_workers(&engine::worker::worker_engine_entry, std::move(rules));
  engine::register_builtin_engines(engines);
  bool all_opened = true;
  for (const std::string& library : options.engine_libraries) {
    const base::Status added = engines.add_library(library, {});
    const bool is_usage = absl::IsAlreadyExists(added) || absl::IsInvalidArgument(added);
    if (!added.ok() && (!keep_going || is_usage)) return added;
    if (!added.ok()) SN_LOG(Error, "{}", base::message(added));
    all_opened &= added.ok();
  }
  for (const auto& [engine, where] : isolation) {
    if (engine.empty() || engines.has(engine)) continue;
    const base::Status unknown = base::annotate(engines.unknown(engine), "--engine-isolation");
    // A library that does not open can't say what it is called.
    if (all_opened) return unknown;
    SN_LOG(Warning, "{}", base::message(unknown));
  }
  return {};
}

}  // namespace supernova::apps
