// The decision of the reconciler: what to do next so that the versions of a model that serve become
// those that should. Pure; one transition at a time per model.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace supernova::model {

// What is known of one version. A fingerprint stands for the files and the configuration that a
// version is, or would be, loaded from.
struct VersionFacts {
  int64_t number = 1;
  std::optional<uint64_t> wanted;   // what should serve
  std::optional<uint64_t> serving;  // what does
  std::optional<uint64_t> failed;   // what could not be loaded last time
};

struct ModelFactsNow {
  std::vector<VersionFacts> versions;
  bool busy = false;  // a transition is under way
  // Memory for old and new at once is not there: what goes is unloaded before what comes is loaded.
  bool free_first = false;
};

enum class ActionKind { kNothing, kLoad, kUnload };

struct Action {
  ActionKind kind = ActionKind::kNothing;
  int64_t version = 0;
  bool operator==(const Action&) const = default;
};

// Loads come first, the highest version before the others; a version that is no longer wanted stays
// until each wanted one serves, so that a new version that fails leaves the old one serving. What
// failed is not tried again before it changes.
Action next_action(const ModelFactsNow& model);

// Whether a load has to wait for the memory of what it replaces. All in bytes; `budget` 0 = none.
bool must_free_first(uint64_t budget, uint64_t in_use, uint64_t cost);

}  // namespace supernova::model
