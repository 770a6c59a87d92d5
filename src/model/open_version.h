// Opens one version of a model: its sessions where they are placed, configuration, first run.
// Thread-safe.
#pragma once

#include "model/model_version.h"
#include "model/open_sessions.h"

namespace supernova::model {

class VersionOpener {
 public:
  VersionOpener(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue,
                device::DeviceList& devices)
      : sessions_(provider, catalogue, devices) {}

  // Makes a version that is loading ready; its state is unchanged on failure, but it then has a
  // report of its placement, as far as that went.
  base::Status open(ModelVersion& version, const ModelPlan& plan, const LoadOptions& options) const;

 private:
  base::Status first_runs(const ModelVersion& version, OpenSessions& opened) const;
  base::Status open(ModelVersion& version, const ModelPlan& plan, const LoadOptions& options,
                    OpenSessions& opened) const;
  base::Status open_more(OpenSessions& opened, size_t concurrency) const;
  void finish(ModelVersion& version, ModelConfig config, const schedule::SchedulerOptions& queue,
              const LoadMeter& meter, OpenSessions& opened) const;

  const SessionOpener sessions_;
};

}  // namespace supernova::model
