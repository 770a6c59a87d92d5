// A .tflite file has the same inputs and outputs whether it is imported or opened as it is.
#include <gtest/gtest.h>

#include "conformance/engines.h"
#include "import/tflite/tflite_importer.h"
#include "support/tflite_builder.h"

namespace supernova::engine::onnxruntime {
const sn_engine_api* entry(uint32_t host_abi_version);
}
namespace supernova::engine::tflite {
const sn_engine_api* entry(uint32_t host_abi_version);
}

namespace supernova::conformance {
namespace {

using test::TfModel;
using test::TfType;

std::vector<std::string> words(const engine::Signature& signature) {
  std::vector<std::string> out;
  for (const auto* side : {&signature.inputs, &signature.outputs}) {
    for (const tensor::TensorInfo& info : *side) {
      out.push_back(base::str_cat(info.name, " ", tensor::data_type_name(info.data_type), " ",
                                  tensor::shape_to_string(info.shape)));
    }
  }
  return out;
}

base::Result<std::vector<std::string>> words(sn_engine_entry_fn entry,
                                             const tensor::Artefact& artefact) {
  SN_ASSIGN(const auto engine, engine::Engine::open(entry, {}));
  SN_ASSIGN(const auto model, engine->open_model(artefact, {}));
  return words(model->signatures()[0]);
}

void same_either_way(const TfModel& model) {
  const auto content = std::make_shared<std::string>(model.file());
  const auto imported =
      import::tflite::import_content(*content, content, "model.tflite", tensor::Options());
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto as_onnx = words(&engine::onnxruntime::entry, imported->artefact);
  ASSERT_TRUE(as_onnx.ok()) << as_onnx.status();
  tensor::Artefact original;
  original.format = "tflite";
  original.bytes = tensor::Buffer::copy_of(*content);
  const auto as_it_is = words(&engine::tflite::entry, original);
  if (absl::IsFailedPrecondition(as_it_is.status())) GTEST_SKIP() << as_it_is.status().message();
  ASSERT_TRUE(as_it_is.ok()) << as_it_is.status();
  EXPECT_EQ(*as_it_is, *as_onnx);
}

TEST(TfliteNames, EmptyAndRepeatedOnesGetTheirPosition) {
  TfModel model;
  std::vector<int32_t> inputs;
  for (const char* name : {"x", "-", "x", "input1"}) {
    inputs.push_back(model.input({.shape = {2}, .name = name}));
  }
  std::vector<int32_t> outputs;
  for (const char* name : {"x", "y", "-"}) {
    outputs.push_back(model.tensor({.shape = {2}, .name = name}));
  }
  model.op("ADD", {inputs[0], inputs[1]}, {outputs[0]});
  model.op("ADD", {inputs[2], inputs[3]}, {outputs[1]});
  model.op("ADD", {inputs[0], inputs[3]}, {outputs[2]});
  model.set_outputs(outputs);
  same_either_way(model);
}

TEST(TfliteNames, TypesAndOpenSizes) {
  TfModel model;
  const auto x = model.input({.type = TfType::kInt8,
                              .shape = {1, 3},
                              .scales = {0.5F},
                              .zero_points = {1},
                              .signature = {-1, 3},
                              .name = "x"});
  const auto y = model.tensor({.shape = {1, 3}, .signature = {-1, 3}, .name = "y"});
  model.op("DEQUANTIZE", {x}, {y});
  model.set_outputs({y});
  same_either_way(model);
}

}  // namespace
}  // namespace supernova::conformance
