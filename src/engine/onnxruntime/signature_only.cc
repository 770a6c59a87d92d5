#include "engine/onnxruntime/signature_only.h"

#include <algorithm>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

namespace supernova::engine::onnxruntime {
namespace {

// Field numbers of the ONNX format.
constexpr uint32_t kIrVersion = 1;
constexpr uint32_t kModelGraph = 7;
constexpr uint32_t kOpsetImport = 8;
constexpr uint32_t kGraphName = 2;
constexpr uint32_t kInitializer = 5;
constexpr uint32_t kInput = 11;
constexpr uint32_t kOutput = 12;
constexpr uint32_t kValueName = 1;
constexpr uint32_t kValueType = 2;
constexpr uint32_t kTensorName = 8;
// Before it, an input with a default can't be overridden: it is a weight.
constexpr int64_t kFirstWithDefaults = 4;

std::string text_of(protozero::data_view view) { return {view.data(), view.size()}; }

struct Value {
  std::string name;
  std::string encoded;
  bool typed = false;
};

Value read_value(protozero::data_view encoded) {
  Value value;
  value.encoded = text_of(encoded);
  protozero::pbf_reader reader(encoded);
  while (reader.next()) {
    if (reader.tag() == kValueName) {
      value.name = text_of(reader.get_view());
    } else {
      value.typed = value.typed || reader.tag() == kValueType;
      reader.skip();
    }
  }
  return value;
}

struct Declared {
  int64_t ir_version = 0;
  std::vector<std::string> opsets;
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  std::vector<std::string> initializers;
};

void read_graph(protozero::pbf_reader graph, Declared& declared) {
  while (graph.next()) {
    switch (graph.tag()) {
      case kInput:
        declared.inputs.push_back(read_value(graph.get_view()));
        break;
      case kOutput:
        declared.outputs.push_back(read_value(graph.get_view()));
        break;
      case kInitializer: {
        protozero::pbf_reader tensor = graph.get_message();
        if (tensor.next(kTensorName)) declared.initializers.push_back(text_of(tensor.get_view()));
        break;
      }
      default:
        graph.skip();
    }
  }
}

Declared read_model(std::string_view bytes) {
  Declared declared;
  protozero::pbf_reader model(bytes.data(), bytes.size());
  while (model.next()) {
    switch (model.tag()) {
      case kIrVersion:
        declared.ir_version = model.get_int64();
        break;
      case kOpsetImport:
        declared.opsets.push_back(text_of(model.get_view()));
        break;
      case kModelGraph:
        read_graph(model.get_message(), declared);
        break;
      default:
        model.skip();
    }
  }
  return declared;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has(const std::vector<Value>& values, const std::string& name) {
  return std::any_of(values.begin(), values.end(),
                     [&](const Value& value) { return value.name == name; });
}

}  // namespace

SignatureOnly signature_only(std::string_view model) try {
  Declared declared = read_model(model);
  SignatureOnly made;
  std::erase_if(declared.inputs, [&](const Value& input) {
    if (!has(declared.initializers, input.name)) return false;
    if (declared.ir_version >= kFirstWithDefaults) made.optional.push_back(input.name);
    return declared.ir_version < kFirstWithDefaults;
  });
  for (const Value& output : declared.outputs) {
    if (!output.typed) return {};
    if (has(declared.inputs, output.name)) continue;
    declared.inputs.push_back(output);
    made.added.push_back(output.name);
  }
  if (declared.outputs.empty()) return {};
  protozero::pbf_writer writer(made.model);
  writer.add_int64(kIrVersion, declared.ir_version);
  for (const std::string& opset : declared.opsets) writer.add_message(kOpsetImport, opset);
  protozero::pbf_writer graph(writer, kModelGraph);
  graph.add_string(kGraphName, "signature");
  for (const Value& input : declared.inputs) graph.add_message(kInput, input.encoded);
  for (const Value& output : declared.outputs) graph.add_message(kOutput, output.encoded);
  graph.commit();
  return made;
} catch (const protozero::exception&) {
  return {};
}

}  // namespace supernova::engine::onnxruntime
