// Asks engines what they say of a model on which devices, and has engine::place decide.
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "device/device_list.h"
#include "engine/catalogue.h"
#include "engine/placement.h"
#include "tensor/artefact.h"

namespace supernova::model {

// Runs that were measured while models were loaded: by model path, engine, format and device.
class MeasuredRuns {
 public:
  void note(const std::string& path, const std::string& engine, const std::string& format,
            const std::string& device, uint64_t ns);
  uint64_t of(const std::string& path, const std::string& engine, const std::string& format,
              const std::string& device) const;  // 0 = not measured

 private:
  mutable std::mutex mutex_;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, uint64_t> runs_;
};

struct FoundPlacement {
  engine::PlacementInput input;
  engine::Placement placement;
  std::vector<tensor::ImportedModel> models;  // of input.offers
  std::string source_format;                  // "" = not known

  // Where the placement's status is OK.
  tensor::ImportedModel& model() { return models[placement.offer]; }
  const tensor::ImportedModel& model() const { return models[placement.offer]; }
  const device::Device& device(const std::string& id) const;
  // Decides anew, knowing better what the engine chosen makes of the model on that device.
  void learn(const std::string& device, engine::Verdict verdict);
};

class PlacementFinder {
 public:
  PlacementFinder(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue,
                  device::DeviceList& devices, const MeasuredRuns& measured)
      : provider_(provider), catalogue_(catalogue), devices_(devices), measured_(measured) {}

  // What the model at `path` is imported to only where an engine needs it. An error is one that has
  // nothing to do with engines and devices: no such file, no such engine, a failed import.
  base::Result<FoundPlacement> find(const std::string& path, const engine::Wishes& wishes,
                                    const tensor::Options& options, uint64_t memory_budget) const;

 private:
  struct Search;

  tensor::ArtefactProvider& provider_;
  engine::Catalogue& catalogue_;
  device::DeviceList& devices_;
  const MeasuredRuns& measured_;
};

}  // namespace supernova::model
