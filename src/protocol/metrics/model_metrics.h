// The metrics of models: what is measured of each version, and how it is written, under the names
// of Triton's dashboards (nv_inference_*) and our own (supernova_*). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/model_version.h"
#include "protocol/metrics/exposition.h"

namespace supernova::protocol::metrics {

// One version of a model at the moment of the scrape.
struct ModelSample {
  Labels labels;  // model, version, and the configuration's metric_tags
  model::StatisticsSnapshot statistics;
  model::Latencies latencies;  // since the start
  model::Latencies recent;     // of about the last minute
  uint64_t queued = 0;
  std::shared_ptr<const model::PlacementReport> placement;  // null = not known
  std::vector<schedule::Scheduler::InstanceFigures> instances;
  uint64_t moved = 0;  // requests, between instances
  bool ready = false;
  bool cached = false;  // the configuration turns a response cache on
};

// model, version and `tags`, whose names are made legal; a tag called like a label that a metric
// has of its own gets "tag_" in front.
Labels model_labels(const std::string& model, int64_t version,
                    const std::map<std::string, std::string>& tags);

void write_model_metrics(const std::vector<ModelSample>& models, Exposition& out);
// How many versions are in each state.
void write_model_states(const std::map<model::VersionState, uint64_t>& states, Exposition& out);

}  // namespace supernova::protocol::metrics
