#include "import/graph/graph.h"

#include <algorithm>

namespace supernova::import::graph {
namespace {

template <typename T>
T attribute_or(const Node& node, std::string_view name, T otherwise) {
  const Attribute* attribute = node.find(name);
  const T* value = attribute != nullptr ? std::get_if<T>(attribute) : nullptr;
  return value != nullptr ? *value : std::move(otherwise);
}

}  // namespace

const Attribute* Node::find(std::string_view name) const {
  const auto at = std::find_if(attributes.begin(), attributes.end(),
                               [&](const auto& entry) { return entry.first == name; });
  return at != attributes.end() ? &at->second : nullptr;
}

int64_t Node::int_or(std::string_view name, int64_t otherwise) const {
  return attribute_or(*this, name, otherwise);
}
float Node::float_or(std::string_view name, float otherwise) const {
  return attribute_or(*this, name, otherwise);
}
std::string Node::string_or(std::string_view name, std::string_view otherwise) const {
  return attribute_or(*this, name, std::string(otherwise));
}
std::vector<int64_t> Node::ints_or(std::string_view name, std::vector<int64_t> otherwise) const {
  return attribute_or(*this, name, std::move(otherwise));
}

Value* Model::new_value(std::string_view name_hint) {
  Value& value = values_.emplace_back();
  value.name = std::string(name_hint);
  return &value;
}

Dim Model::fresh_dim() { return Dim::symbol(""); }

}  // namespace supernova::import::graph
