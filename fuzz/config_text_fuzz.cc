// A configuration is outside text: any bytes give one or an error, and what is accepted can be
// written as JSON and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/config_resolve.h"
#include "model/config_text.h"

namespace {

using supernova::model::ModelFacts;
using supernova::tensor::DataType;
using supernova::tensor::Shape;
using supernova::tensor::TensorInfo;

TensorInfo info(const char* name, DataType type, Shape shape, bool rank_known = true) {
  TensorInfo made;
  made.name = name;
  made.data_type = type;
  made.shape = std::move(shape);
  made.rank_known = rank_known;
  return made;
}

ModelFacts make_facts() {
  ModelFacts facts;
  facts.name = "m";
  facts.engine = "onnxruntime";
  facts.format = "onnx";
  facts.file = "model.onnx";
  facts.inputs = {info("x", DataType::kFp32, {-1, 3, 8}), info("z", DataType::kBytes, {}, false)};
  facts.outputs = {info("y", DataType::kFp32, {-1, 10})};
  return facts;
}

void resolve(const supernova::base::Result<supernova::model::ParsedConfig>& parsed) {
  if (!parsed.ok()) return;
  static const ModelFacts facts = make_facts();
  std::vector<std::string> warnings;
  const auto config = supernova::model::resolve_config(&parsed->config, facts, warnings);
  if (!config.ok()) return;
  const auto again =
      supernova::model::parse_config_json(supernova::model::config_json(*config->proto), "again");
  if (!again.ok() || !again->warnings.empty()) std::abort();
  // What was completed has nothing left to complete.
  const auto twice = supernova::model::resolve_config(&again->config, facts, warnings);
  if (!twice.ok() || supernova::model::config_json(*twice->proto) !=
                         supernova::model::config_json(*config->proto)) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  resolve(supernova::model::parse_config_text(content, "fuzz"));
  resolve(supernova::model::parse_config_json(content, "fuzz"));
  return 0;
}
