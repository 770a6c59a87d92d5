#include "import/input_shapes.h"

#include <algorithm>

#include "tensor/shape.h"

namespace supernova::import {
namespace {

base::Result<std::vector<int64_t>> parse_sizes(const std::string& key, std::string_view text) {
  std::vector<int64_t> out;
  const std::string whole(text);
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    int64_t size = -1;
    if (part != "-1" && !base::parse_whole(part, size)) {
      return absl::InvalidArgumentError(
          base::str_cat("option ", key, "=", whole,
                        ": give sizes as whole numbers, 1,3,224,224; -1 keeps one open"));
    }
    out.push_back(size);
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

base::Result<InputShapes> input_shapes(const tensor::Options& options) {
  InputShapes out;
  for (const auto& [key, value] : options) {
    if (key.substr(0, kInputShapeOption.size()) != kInputShapeOption) continue;
    SN_ASSIGN(out[key.substr(kInputShapeOption.size())], parse_sizes(key, value));
  }
  return out;
}

base::Status check_input_shapes(const InputShapes& shapes,
                                const std::vector<tensor::TensorInfo>& inputs) {
  for (const auto& [name, shape] : shapes) {
    const auto at =
        std::find_if(inputs.begin(), inputs.end(),
                     [&, &wanted = name](const auto& info) { return info.name == wanted; });
    if (at == inputs.end()) {
      std::vector<std::string> names;
      for (const tensor::TensorInfo& info : inputs) names.push_back(info.name);
      return absl::InvalidArgumentError(
          base::str_cat("option ", kInputShapeOption, name, ": the model has no input '", name,
                        "'; its inputs are ", base::str_join(names, ", ")));
    }
    bool fits = !at->rank_known || at->shape.size() == shape.size();
    for (size_t i = 0; fits && at->rank_known && i < shape.size(); ++i) {
      fits = at->shape[i] < 0 || shape[i] < 0 || at->shape[i] == shape[i];
    }
    if (!fits) {
      return absl::InvalidArgumentError(
          base::str_cat("option ", kInputShapeOption, name, ": ", tensor::shape_to_string(shape),
                        " does not fit the model's ", tensor::shape_to_string(at->shape)));
    }
  }
  return absl::OkStatus();
}

}  // namespace supernova::import
