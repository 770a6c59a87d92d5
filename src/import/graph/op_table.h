// The operators an importer knows: one entry per operator of the source, added by the files of its
// ops/ folder. The build calls `void register_<file>(OpTable&)` of each of them (see
// supernova_import_ops in cmake/extension.cmake).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "import/importer.h"

namespace supernova::import::graph {

// `Context` is the importer's own: builder, source operator, its inputs and outputs.
template <typename Context>
class OpTable {
 public:
  // Makes the operator's nodes and hands its results to the context; errors go to Builder::fail.
  using Convert = std::function<void(Context&)>;
  struct Entry {
    Convert convert;
    std::string notes;  // for the support table: what is refused
  };
  void add(std::string_view op, Convert convert, std::string_view notes = "") {
    entries_[std::string(op)] = {std::move(convert), std::string(notes)};
  }
  const Entry* find(std::string_view op) const {
    const auto at = entries_.find(std::string(op));
    return at != entries_.end() ? &at->second : nullptr;
  }
  // For Importer::operators().
  std::vector<SupportedOperator> supported() const {
    std::vector<SupportedOperator> out;
    for (const auto& [name, entry] : entries_) out.push_back({name, entry.notes});
    return out;
  }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace supernova::import::graph
