// Opens one version of a model: import, engine, session, configuration, first run. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "engine/catalogue.h"
#include "model/model_plan.h"
#include "model/model_version.h"
#include "model/steward.h"

namespace supernova::model {

struct LoadOptions {
  std::string engine;       // "" = as the configuration says, else chosen
  tensor::Options options;  // for importer and engine
  schedule::SchedulerOptions queue;
  bool warm_up = false;
};

class VersionOpener {
 public:
  VersionOpener(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue, Steward& steward)
      : provider_(provider), catalogue_(catalogue), steward_(steward) {}

  // Makes a version that is loading ready; its state is unchanged on failure.
  base::Status open(ModelVersion& version, const ModelPlan& plan, const LoadOptions& options) const;

 private:
  struct Opened;
  base::Result<engine::Engine*> named_engine(const ModelPlan& plan,
                                             const LoadOptions& options) const;
  base::Status import(const ModelVersion& version, const ModelPlan& plan,
                      const LoadOptions& options, Opened& opened) const;
  static base::Result<std::unique_ptr<engine::Model>> open_model(Opened& opened);
  base::Status open_session(Opened& opened) const;

  tensor::ArtefactProvider& provider_;
  engine::Catalogue& catalogue_;
  Steward& steward_;
};

}  // namespace supernova::model
