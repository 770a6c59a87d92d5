// Opens one version of a model: import, placement, sessions, configuration, first run. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "device/device_list.h"
#include "engine/catalogue.h"
#include "model/find_placement.h"
#include "model/model_plan.h"
#include "model/model_version.h"
#include "model/steward.h"

namespace supernova::model {

struct LoadOptions {
  std::string engine;          // "" = as the configuration says, else chosen
  std::string device;          // "" = as the configuration says, else the CPU; "auto" = the best
  tensor::Options options;     // for importer and engine
  uint64_t memory_budget = 0;  // bytes that models may take, 0 = no limit
  schedule::SchedulerOptions queue;
  bool warm_up = false;
};

class VersionOpener {
 public:
  VersionOpener(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue,
                device::DeviceList& devices, Steward& steward)
      : provider_(provider),
        catalogue_(catalogue),
        finder_(provider, catalogue, devices, measured_),
        steward_(steward) {}

  // Makes a version that is loading ready; its state is unchanged on failure, but it then has a
  // report of its placement, as far as that went.
  base::Status open(ModelVersion& version, const ModelPlan& plan, const LoadOptions& options) const;

 private:
  struct Opened;
  base::Result<engine::Wishes> wishes_of(const ModelVersion& version, const ModelPlan& plan,
                                         const LoadOptions& options,
                                         const tensor::Options& merged) const;
  base::Status find_place(const ModelVersion& version, const ModelPlan& plan,
                          const LoadOptions& options, Opened& opened) const;
  base::Status take_place(const ModelPlan& plan, Opened& opened) const;
  base::Result<std::shared_ptr<engine::Engine>> engine_for(const device::Device& device,
                                                           const Opened& opened) const;
  static base::Result<std::unique_ptr<engine::Model>> open_model(engine::Engine& engine,
                                                                 const Opened& opened);
  base::Status open_session(Opened& opened, size_t place) const;
  base::Status open_place(const ModelVersion& version, Opened& opened, size_t place) const;
  base::Status open_places(const ModelVersion& version, Opened& opened) const;
  base::Status first_runs(const ModelVersion& version, Opened& opened) const;
  base::Status open(ModelVersion& version, const ModelPlan& plan, const LoadOptions& options,
                    Opened& opened) const;
  base::Status open_more(Opened& opened, size_t concurrency) const;
  void finish(ModelVersion& version, ModelConfig config, const schedule::SchedulerOptions& queue,
              const LoadMeter& meter, Opened& opened) const;

  tensor::ArtefactProvider& provider_;
  engine::Catalogue& catalogue_;
  mutable MeasuredRuns measured_;
  PlacementFinder finder_;
  Steward& steward_;
};

}  // namespace supernova::model
