// Finds where a version of a model is to run and opens its sessions there: import, placement,
// engine, sessions. A server goes on from here (open_version.h); whoever only wants to run the
// model as a server would needs no more. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device/device_list.h"
#include "engine/catalogue.h"
#include "model/find_placement.h"
#include "model/model_plan.h"
#include "model/placement_report.h"
#include "schedule/scheduler.h"

namespace supernova::model {

struct LoadOptions {
  std::string engine;          // "" = as the configuration says, else chosen
  std::string device;          // "" = as the configuration says, else the CPU; "auto" = the best
  tensor::Options options;     // for importer and engine
  uint64_t memory_budget = 0;  // bytes that models may take, 0 = no limit
  schedule::SchedulerOptions queue;
  bool warm_up = false;
  std::string try_again;  // what an operator does to have a model tried again, "" = load it
};

// A model where it was placed.
struct OpenSessions {
  struct Open {
    std::unique_ptr<engine::Session> session;
    size_t place = 0;  // in report.instances
  };
  std::string owner;  // the model's name
  std::string try_again;
  std::string path;
  tensor::Options options;
  engine::Wishes wishes;
  std::vector<std::string> warnings;
  std::chrono::milliseconds load_limit{};  // also of the first run
  FoundPlacement found;
  std::optional<engine::Artefact> prepared;  // what the engine opens faster
  // The engine may be another process on another device, and the model opened in each.
  std::map<std::shared_ptr<engine::Engine>, std::unique_ptr<engine::Model>> models;
  std::vector<Open> sessions;  // the first of each place, then the others
  PlacementReport report;
};

class SessionOpener {
 public:
  SessionOpener(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue,
                device::DeviceList& devices)
      : provider_(provider),
        catalogue_(catalogue),
        finder_(provider, catalogue, devices, measured_) {}

  // Opens the first session of each place of the model `name`, whose file or folder is `path`. On
  // failure the report says how far it went.
  base::Status open(std::string name, std::string path, const ModelPlan& plan,
                    const LoadOptions& options, OpenSessions& opened) const;
  // Opens one more at that place.
  base::Status open_session(OpenSessions& opened, size_t place) const;
  // What a run took there: placement takes the faster device from now on.
  void note_run(const OpenSessions& opened, size_t place, uint64_t ns) const;

 private:
  struct Disappointment;
  base::Result<engine::Wishes> wishes_of(const ModelPlan& plan, const LoadOptions& options,
                                         const OpenSessions& opened) const;
  base::Status take_place(const ModelPlan& plan, OpenSessions& opened) const;
  static base::Result<std::unique_ptr<engine::Model>> open_model(engine::Engine& engine,
                                                                 const OpenSessions& opened);
  base::Status open_place(OpenSessions& opened, size_t place) const;
  base::Status open_places(OpenSessions& opened, Disappointment& disappointment) const;

  tensor::ArtefactProvider& provider_;
  engine::Catalogue& catalogue_;
  mutable MeasuredRuns measured_;
  PlacementFinder finder_;
};

}  // namespace supernova::model
