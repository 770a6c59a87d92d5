// What became of the placement of a version: the decision, the instances as they were opened, which
// nodes did not go to the device asked for, what it costs. Plain values; made while a version
// loads, also where it then fails, and unchanged afterwards.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/placement.h"

namespace supernova::model {

// An operator on one place.
struct OperatorPlace {
  std::string op;
  std::string where;  // as the engine names it, or the device
  std::string reason;
  uint64_t count = 0;
};

struct InstanceReport {
  std::string group;  // of the configuration, "" = none is written
  std::string device;
  std::string device_model;  // as the hardware names itself, "" = not said
  bool cpu = true;
  int gpu = -1;              // number among the GPUs; -1 = it is none
  size_t sessions = 0;       // that share the group's runs on this device
  size_t first_session = 0;  // of them, among all that the scheduler has
  size_t limit = 0;          // runs of the group that may overlap there; 0 = as the threads allow
  engine::Verdict expected;  // before it was opened; both without the list of nodes
  engine::Verdict opened;    // by the instance itself
  std::vector<OperatorPlace> operators;         // as the instance has them; empty = it does not say
  std::vector<engine::NodePlacement> fallback;  // nodes that are not on the device
  bool partly = false;        // some nodes are elsewhere, and the engine may not say which
  uint64_t first_run_ns = 0;  // 0 = it was not run while it loaded
};

struct PlacementReport {
  std::string engine;  // "" = none was found
  std::string engine_version;
  std::string isolation;      // "in-process", "worker", "own-worker"
  std::string format;         // of what the engine opened
  std::string source_format;  // of the model; "" = not known
  std::string reason;
  std::string failure;  // why it could not be placed or opened; "" = it was
  std::vector<InstanceReport> instances;
  std::vector<engine::Rejection> rejected;
  std::vector<std::string> warnings;
  std::map<std::string, int64_t> operators;  // of the model
};

// Which operators run where, by the instance's own account, or all on its device where the engine
// says that it runs all of them. Empty where it says neither, and where it could not be opened.
std::vector<OperatorPlace> operators_of(const PlacementReport& report,
                                        const InstanceReport& instance);

// The nodes of a list together by operator, place and reason.
std::vector<OperatorPlace> count_nodes(const std::vector<engine::NodePlacement>& nodes);
// Nodes of all instances that are not on the device asked for.
uint64_t fallback_nodes(const PlacementReport& report);
// "not on nvidia:0: 3 nodes: ..."; "" = all are.
std::string fallback_text(const InstanceReport& instance);

}  // namespace supernova::model
