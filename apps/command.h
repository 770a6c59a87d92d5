// What the commands of the command-line program share. Exit codes: 0 done, 1 failed, 2 usage.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "artefact_options.h"
#include "base/status.h"
#include "compile/cached_provider.h"
#include "device/device.h"
#include "device/device_list.h"
#include "engine/catalogue.h"
#include "import/importer.h"
#include "model/model_manager.h"
#include "worker_options.h"

namespace supernova::apps {

// A failed status becomes one line on stderr, `error: ...`; returns the exit code.
int finish(const base::Status& status);

// Options that every command which opens a model has.
struct ModelOptions {
  std::string engine;
  std::string device;  // "" = the CPU, unless a configuration says otherwise
  std::vector<std::string> engine_libraries;
  std::vector<std::string> options;  // KEY=VALUE
  ArtefactOptions artefacts;
  WorkerOptions workers;

  void add_to(CLI::App& command);
  base::Result<model::LoadOptions> load_options() const;
};

// What is here, with what the engines say of it (devices.cc). May take seconds.
std::vector<device::Device> devices_of_this_machine(engine::Catalogue& engines,
                                                    const device::DiscoverOptions& options = {});
// How long such a look counts.
inline constexpr std::chrono::seconds kDevicesLast{5};

// Importers, engines and devices, and the models opened through them.
struct House {
  import::ImporterRegistry importers;
  engine::Catalogue engines;
  compile::CachedProvider artefacts{importers, engines};
  device::DeviceList devices{[this] { return devices_of_this_machine(engines); }, kDevicesLast};
  model::ModelManager models{artefacts, engines, &devices};

  // Registers what is built in and the engine libraries asked for. One that can't be opened is an
  // error, or with `keep_going` a line in the log and a reason for the models that want it.
  base::Status open(const ModelOptions& options, bool keep_going = false);
};

// Each adds its command to `app`; its callback stores the exit code.
void add_serve(CLI::App& app, int& exit_code);
void add_infer(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_convert(CLI::App& app, int& exit_code);
void add_formats(CLI::App& app, int& exit_code);
void add_inspect(CLI::App& app, int& exit_code);
void add_devices(CLI::App& app, int& exit_code);
void add_conformance(CLI::App& app, int& exit_code);
void add_completion(CLI::App& app, int& exit_code);

}  // namespace supernova::apps
