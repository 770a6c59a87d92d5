#include "model/next_action.h"

#include <algorithm>

namespace supernova::model {
namespace {

bool should_load(const VersionFacts& version) {
  return version.wanted && version.serving != version.wanted && version.failed != version.wanted;
}

}  // namespace

Action next_action(const ModelFactsNow& model) {
  if (model.busy) return {};
  const VersionFacts* load = nullptr;
  const VersionFacts* unload = nullptr;
  bool gap = false;  // a wanted version does not serve
  for (const VersionFacts& version : model.versions) {
    if (should_load(version) && (load == nullptr || version.number > load->number)) load = &version;
    if (version.serving && !version.wanted &&
        (unload == nullptr || version.number < unload->number)) {
      unload = &version;
    }
    gap |= version.wanted && !version.serving;
  }
  if (load != nullptr && model.free_first) {
    if (unload != nullptr) return {ActionKind::kUnload, unload->number};
    if (load->serving) return {ActionKind::kUnload, load->number};
  }
  if (load != nullptr) return {ActionKind::kLoad, load->number};
  if (unload != nullptr && !gap) return {ActionKind::kUnload, unload->number};
  return {};
}

bool must_free_first(uint64_t budget, uint64_t in_use, uint64_t cost) {
  return budget != 0 && (cost > budget || in_use > budget - cost);
}

}  // namespace supernova::model
