#include "model/version_policy.h"

#include <algorithm>
#include <iterator>

namespace supernova::model {

std::set<int64_t> selected_versions(const inference::ModelVersionPolicy& policy,
                                    const std::set<int64_t>& available) {
  if (policy.has_all()) return available;
  if (policy.has_specific()) {
    std::set<int64_t> selected;
    for (const int64_t version : policy.specific().versions()) {
      if (available.contains(version)) selected.insert(version);
    }
    return selected;
  }
  const size_t wanted = policy.has_latest() ? std::max(policy.latest().num_versions(), 1U) : 1U;
  auto first = available.end();
  std::advance(first, -static_cast<std::ptrdiff_t>(std::min(wanted, available.size())));
  return {first, available.end()};
}

}  // namespace supernova::model
