// Small models are written here field by field, so that the tests depend on nothing but the format.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <protozero/pbf_writer.hpp>

#include "import/onnx/onnx_importer.h"
#include "import/onnx/recognise.h"
#include "import/onnx/schema.h"
#include "import/onnx/summary.h"

namespace supernova::import::onnx {
namespace {

namespace fs = std::filesystem;
using protozero::pbf_writer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

using Fill = std::function<void(pbf_writer&)>;

std::string message(const Fill& fill) {
  std::string out;
  pbf_writer writer(out);
  fill(writer);
  return out;
}

struct Dim {
  int64_t size = -1;
  std::string name;
};

std::string tensor_type(int32_t element, const std::vector<Dim>& dims) {
  const std::string shape = message([&](pbf_writer& w) {
    for (const Dim& dim : dims) {
      w.add_message(1, message([&](pbf_writer& d) {
                      if (dim.size >= 0) d.add_int64(1, dim.size);
                      if (!dim.name.empty()) d.add_string(2, dim.name);
                    }));
    }
  });
  return message([&](pbf_writer& w) {
    w.add_message(1, message([&](pbf_writer& t) {
                    t.add_int32(1, element);
                    t.add_message(2, shape);
                  }));
  });
}

std::string value(const std::string& name, const std::string& type) {
  return message([&](pbf_writer& w) {
    w.add_string(1, name);
    if (!type.empty()) w.add_message(2, type);
  });
}

std::string op(const std::string& type, const std::vector<std::string>& inputs,
               const std::vector<std::string>& outputs, const std::string& domain = "",
               const std::vector<std::string>& attributes = {}) {
  return message([&](pbf_writer& w) {
    for (const auto& input : inputs) w.add_string(1, input);
    for (const auto& output : outputs) w.add_string(2, output);
    w.add_string(3, type + "_node");
    w.add_string(4, type);
    for (const auto& attribute : attributes) w.add_message(5, attribute);
    if (!domain.empty()) w.add_string(7, domain);
  });
}

std::string external_tensor_message(const std::string& name, const std::string& location,
                                    const std::string& offset = "", const std::string& length = "",
                                    int64_t count = 4) {
  return message([&](pbf_writer& w) {
    w.add_int64(1, count);
    w.add_int32(2, 1);
    w.add_string(8, name);
    const auto entry = [&](const std::string& key, const std::string& text) {
      w.add_message(13, message([&](pbf_writer& e) {
                      e.add_string(1, key);
                      e.add_string(2, text);
                    }));
    };
    entry("location", location);
    if (!offset.empty()) entry("offset", offset);
    if (!length.empty()) entry("length", length);
    w.add_int32(14, 1);
  });
}

struct GraphParts {
  std::vector<std::string> nodes, initializers, inputs, outputs;
  std::string message_() const {
    return message([&](pbf_writer& w) {
      for (const auto& node : nodes) w.add_message(1, node);
      w.add_string(2, "graph");
      for (const auto& initializer : initializers) w.add_message(5, initializer);
      for (const auto& input : inputs) w.add_message(11, input);
      for (const auto& output : outputs) w.add_message(12, output);
    });
  }
};

struct ModelParts {
  int64_t ir_version = 8;
  std::vector<std::pair<std::string, int64_t>> opsets{{"", 17}};
  std::string message_(const std::string& graph, const std::string& functions = "") const {
    return message([&](pbf_writer& w) {
      if (ir_version != 0) w.add_int64(1, ir_version);
      w.add_string(2, "maker");
      w.add_string(3, "1.2");
      w.add_message(7, graph);
      for (const auto& [domain, version] : opsets) {
        w.add_message(8, message([&](pbf_writer& o) {
                        if (!domain.empty()) o.add_string(1, domain);
                        o.add_int64(2, version);
                      }));
      }
      if (!functions.empty()) w.add_message(25, functions);
    });
  }
};

GraphParts relu_graph() {
  return {{op("Relu", {"x"}, {"y"})},
          {},
          {value("x", tensor_type(1, {{-1, "batch"}, {4, ""}}))},
          {value("y", tensor_type(1, {{-1, "batch"}, {4, ""}}))}};
}

std::string relu_model() { return ModelParts{}.message_(relu_graph().message_()); }

std::string labels(const std::vector<int64_t>& numbers) {
  return message([&](pbf_writer& w) {
    w.add_string(1, "classlabels_int64s");
    for (const int64_t number : numbers) w.add_int64(8, number);
    w.add_int32(20, 7);
  });
}

std::string labels(const std::vector<std::string>& words) {
  return message([&](pbf_writer& w) {
    for (const auto& word : words) w.add_bytes(9, word);
    w.add_string(1, "classlabels_strings");  // the name need not come first
  });
}

std::string sequence_type(const std::string& element) {
  return message([&](pbf_writer& w) {
    w.add_message(4, message([&](pbf_writer& s) { s.add_message(1, element); }));
  });
}

std::string optional_type(const std::string& element) {
  return message([&](pbf_writer& w) {
    w.add_message(9, message([&](pbf_writer& s) { s.add_message(1, element); }));
  });
}

std::string map_type(const std::string& element) {
  return message([&](pbf_writer& w) {
    w.add_message(5, message([&](pbf_writer& m) {
                    m.add_int32(1, 7);
                    m.add_message(2, element);
                  }));
  });
}

std::string zipmap_model(const std::string& attribute,
                         std::vector<std::pair<std::string, int64_t>> opsets = {
                             {"", 9}, {"ai.onnx.ml", 1}}) {
  GraphParts graph;
  graph.nodes = {op("LinearClassifier", {"x"}, {"label", "p"}, "ai.onnx.ml"),
                 op("ZipMap", {"p"}, {"probabilities"}, "ai.onnx.ml", {attribute})};
  graph.inputs = {value("x", tensor_type(1, {{-1, ""}, {2, ""}}))};
  graph.outputs = {value("label", tensor_type(7, {{-1, ""}})),
                   value("probabilities", sequence_type(map_type(tensor_type(1, {}))))};
  return ModelParts{4, std::move(opsets)}.message_(graph.message_());
}

std::string error_of(const base::Result<tensor::ImportedModel>& result) {
  return result.ok() ? "imported" : std::string(base::message(result.status()));
}

class OnnxImport : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "supernova-onnx-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view content) const {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
    return path.string();
  }
  base::Result<tensor::ImportedModel> import(const std::string& content) const {
    return import_content(content, (folder_ / "model.onnx").string());
  }

  fs::path folder_;
  std::unique_ptr<Importer> importer_ = make_importer();
};

TEST_F(OnnxImport, DescribesAModel) {
  const std::string file = write("model.onnx", relu_model());
  ASSERT_EQ(importer_->recognise(file), file);
  const auto model = importer_->import(file, {});
  ASSERT_TRUE(model.ok()) << model.status();
  const tensor::ModelDescription& description = model->description;
  EXPECT_EQ(description.format, "onnx");
  EXPECT_EQ(description.producer, "maker 1.2");
  EXPECT_EQ(description.version, "IR 8, opset 17");
  EXPECT_EQ(description.byte_size, fs::file_size(file));
  EXPECT_THAT(description.operators, ElementsAre(Pair("Relu", 1)));
  ASSERT_EQ(description.inputs.size(), 1U);
  EXPECT_EQ(description.inputs[0].name, "x");
  EXPECT_EQ(description.inputs[0].data_type, tensor::DataType::kFp32);
  EXPECT_THAT(description.inputs[0].shape, ElementsAre(-1, 4));
  EXPECT_THAT(description.inputs[0].dim_names, ElementsAre("batch", ""));
  EXPECT_TRUE(description.inputs[0].rank_known);
  EXPECT_THAT(description.notes, IsEmpty());
  EXPECT_EQ(model->artefact.path, file);
  EXPECT_EQ(model->artefact.bytes.size(), 0U);
}

TEST_F(OnnxImport, InitializersAreOptionalInputsSinceIr4) {
  GraphParts graph = relu_graph();
  graph.inputs.push_back(value("w", tensor_type(1, {{4, ""}})));
  graph.initializers = {message([](pbf_writer& w) {
    w.add_int64(1, 4);
    w.add_int32(2, 1);
    w.add_string(8, "w");
    w.add_bytes(9, std::string(16, '\0'));
  })};
  const auto old_model = import(ModelParts{3, {{"", 8}}}.message_(graph.message_()));
  ASSERT_TRUE(old_model.ok()) << old_model.status();
  EXPECT_EQ(old_model->description.inputs.size(), 1U);
  const auto model = import(ModelParts{}.message_(graph.message_()));
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->description.inputs.size(), 2U);
  EXPECT_FALSE(model->description.inputs[0].optional);
  EXPECT_TRUE(model->description.inputs[1].optional);
}

TEST_F(OnnxImport, WeightsListedAsInputsAreConstants) {
  GraphParts graph = relu_graph();
  for (int i = 0; i < 5; ++i) {
    const std::string name = "w" + std::to_string(i);
    graph.inputs.push_back(value(name, tensor_type(1, {{1, ""}})));
    graph.initializers.push_back(message([&](pbf_writer& w) {
      w.add_int64(1, 1);
      w.add_int32(2, 1);
      w.add_string(8, name);
      w.add_bytes(9, std::string(4, '\0'));
    }));
  }
  const std::string content = ModelParts{}.message_(graph.message_());
  const std::string file = (folder_ / "model.onnx").string();
  const auto model = import_content(content, file);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->description.inputs.size(), 1U);
  EXPECT_THAT(model->description.notes, ElementsAre(HasSubstr("5 weights")));
  const auto again = summarise(model->artefact.bytes.view());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->inputs.size(), 1U);
  EXPECT_EQ(again->initializers.size(), 5U);

  const auto kept = import_content(content, file, {{"initializer_inputs", "optional"}});
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->description.inputs.size(), 6U);
  EXPECT_EQ(kept->artefact.bytes.size(), 0U);
  EXPECT_THAT(error_of(import_content(content, file, {{"initializer_inputs", "no"}})),
              HasSubstr("'constant' or 'optional'"));
  // One initializer that is no input: the others are inputs on purpose.
  graph.inputs.pop_back();
  const auto some = import_content(ModelParts{}.message_(graph.message_()), file);
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->description.inputs.size(), 5U);
}

TEST_F(OnnxImport, CountsOperatorsInSubgraphsAndFunctions) {
  const std::string body = GraphParts{{op("Add", {"a", "b"}, {"c"})}, {}, {}, {}}.message_();
  const std::string branch = message([&](pbf_writer& w) {
    w.add_string(1, "then_branch");
    w.add_message(6, body);
  });
  GraphParts graph = relu_graph();
  graph.nodes.push_back(op("If", {"c"}, {"z"}, "", {branch, branch}));
  graph.nodes.push_back(op("Mine", {"x"}, {"m"}, "my.domain"));
  graph.nodes.push_back(op("Relu", {"x"}, {"n"}, "ai.onnx"));
  const std::string function = message([&](pbf_writer& w) {
    w.add_string(1, "Mine");
    w.add_message(7, op("Mul", {"x", "x"}, {"y"}));
    w.add_string(10, "my.domain");
  });
  const auto model =
      import(ModelParts{8, {{"", 17}, {"my.domain", 1}}}.message_(graph.message_(), function));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->description.operators,
              UnorderedElementsAre(Pair("Relu", 2), Pair("If", 1), Pair("Add", 2), Pair("Mul", 1),
                                   Pair("my.domain:Mine", 1)));
  EXPECT_EQ(model->description.version, "IR 8, opset 17, my.domain 1");
}

TEST_F(OnnxImport, ShapesMayBeUnknown) {
  GraphParts graph = relu_graph();
  const std::string no_shape = message(
      [](pbf_writer& w) { w.add_message(1, message([](pbf_writer& t) { t.add_int32(1, 8); })); });
  graph.inputs = {value("x", no_shape)};
  graph.outputs = {value("y", ""), value("s", tensor_type(16, {}))};
  const auto model = import(ModelParts{}.message_(graph.message_()));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->description.inputs[0].data_type, tensor::DataType::kBytes);
  EXPECT_FALSE(model->description.inputs[0].rank_known);
  EXPECT_EQ(model->description.outputs[0].data_type, tensor::DataType::kInvalid);
  EXPECT_FALSE(model->description.outputs[0].rank_known);
  EXPECT_EQ(model->description.outputs[1].data_type, tensor::DataType::kBf16);
  EXPECT_TRUE(model->description.outputs[1].rank_known);
  EXPECT_TRUE(model->description.outputs[1].shape.empty());
}

// ZipMap.

TEST_F(OnnxImport, ZipMapBecomesAPlainTensor) {
  const std::string content = zipmap_model(labels(std::vector<int64_t>{10, 20, 30}));
  const std::string file = write("model.onnx", content);
  const auto model = importer_->import(file, {});
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->description.outputs.size(), 2U);
  EXPECT_EQ(model->description.outputs[1].name, "probabilities");
  EXPECT_EQ(model->description.outputs[1].data_type, tensor::DataType::kFp32);
  EXPECT_THAT(model->description.outputs[1].shape, ElementsAre(-1, 3));
  EXPECT_THAT(model->description.notes, ElementsAre(HasSubstr("columns are 10, 20, 30")));
  EXPECT_THAT(model->description.operators, testing::Contains(Pair("ai.onnx.ml:ZipMap", 1)));
  EXPECT_EQ(model->artefact.path, folder_.string());

  const std::string_view rewritten = model->artefact.bytes.view();
  ASSERT_FALSE(rewritten.empty());
  const auto again = summarise(rewritten);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->operators,
              UnorderedElementsAre(Pair("ai.onnx.ml:LinearClassifier", 1), Pair("Identity", 1)));
  EXPECT_EQ(again->outputs[1].type.words, "tensor(float)");
  EXPECT_THAT(again->outputs[1].type.shape, ElementsAre(-1, 3));
  EXPECT_EQ(again->outputs[1].name, "probabilities");
  EXPECT_EQ(again->opsets,
            (std::vector<std::pair<std::string, int64_t>>{{"", 9}, {"ai.onnx.ml", 1}}));
}

TEST_F(OnnxImport, ZipMapWithStringLabelsAndWithoutDefaultOpset) {
  const auto model =
      import(zipmap_model(labels(std::vector<std::string>{"cat", "dog"}), {{"ai.onnx.ml", 1}}));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->description.outputs[1].shape, ElementsAre(-1, 2));
  EXPECT_THAT(model->description.notes, ElementsAre(HasSubstr("cat, dog")));
  const auto again = summarise(model->artefact.bytes.view());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->opsets, testing::Contains(Pair("", testing::Ge(7))));
}

TEST_F(OnnxImport, ZipMapReadByAnotherNodeStays) {
  GraphParts graph;
  graph.nodes = {op("ZipMap", {"x"}, {"z"}, "ai.onnx.ml", {labels(std::vector<int64_t>{1})}),
                 op("SequenceLength", {"z"}, {"n"})};
  graph.inputs = {value("x", tensor_type(1, {{-1, ""}, {1, ""}}))};
  graph.outputs = {value("z", sequence_type(map_type(tensor_type(1, {}))))};
  const auto model = import(ModelParts{}.message_(graph.message_()));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->description.outputs[0].data_type, tensor::DataType::kBytes);
  EXPECT_THAT(model->description.outputs[0].shape, ElementsAre(-1, 2));
  EXPECT_THAT(model->description.notes,
              ElementsAre(HasSubstr("output 'z' has type sequence(map(int64,tensor(float)))")));
}

// Sequences, optional values, maps.

TEST_F(OnnxImport, WrappedTensorsAreBytes) {
  const std::string tensor = tensor_type(7, {{-1, ""}});
  struct Case {
    std::string type;
    std::string words;
    std::vector<int64_t> shape;
    bool optional;
  };
  const std::vector<Case> cases{
      {sequence_type(tensor), "sequence(tensor(int64)): BYTES [n]", {-1}, false},
      {optional_type(tensor), "optional(tensor(int64)): BYTES [1]", {-1}, true},
      {optional_type(sequence_type(tensor)),
       "optional(sequence(tensor(int64))): BYTES [1,n]",
       {-1, -1},
       true},
      {map_type(tensor), "map(int64,tensor(int64)): BYTES [2]", {2}, false},
      {sequence_type(map_type(tensor)),
       "sequence(map(int64,tensor(int64))): BYTES [n,2]",
       {-1, 2},
       false}};
  for (const Case& want : cases) {
    SCOPED_TRACE(want.words);
    GraphParts graph = relu_graph();
    graph.inputs.push_back(value("in", want.type));
    graph.outputs.push_back(value("out", want.type));
    const auto model = import(ModelParts{}.message_(graph.message_()));
    ASSERT_TRUE(model.ok()) << model.status();
    const tensor::ModelDescription& description = model->description;
    EXPECT_EQ(description.inputs[1].optional, want.optional);
    EXPECT_FALSE(description.outputs[1].optional);
    EXPECT_THAT(want.words, testing::StartsWith(description.inputs[1].model_type));
    EXPECT_EQ(description.inputs[0].model_type, "");
    for (const tensor::TensorInfo& info : {description.inputs[1], description.outputs[1]}) {
      EXPECT_EQ(info.data_type, tensor::DataType::kBytes);
      EXPECT_TRUE(info.rank_known);
      EXPECT_EQ(info.shape, tensor::Shape(want.shape.begin(), want.shape.end()));
    }
    EXPECT_THAT(description.notes, ElementsAre(HasSubstr("input 'in' has type " + want.words),
                                               HasSubstr("output 'out' has type " + want.words)));
  }
}

// External data.

std::string external_model(const std::string& initializer) {
  GraphParts graph = relu_graph();
  graph.initializers = {initializer};
  return ModelParts{}.message_(graph.message_());
}

TEST_F(OnnxImport, ExternalDataIsCounted) {
  write("weights.bin", std::string(48, 'w'));
  const std::string content =
      external_model(external_tensor_message("w", "weights.bin", "32", "16"));
  const auto model = import(content);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->description.byte_size, content.size() + 48);
}

TEST_F(OnnxImport, ExternalDataInSubfoldersAndThroughInnerLinks) {
  write("data/real.bin", std::string(16, 'w'));
  fs::create_symlink("data/real.bin", folder_ / "link.bin");
  EXPECT_EQ(error_of(import(external_model(external_tensor_message("w", "data/real.bin")))),
            "imported");
  EXPECT_EQ(error_of(import(external_model(external_tensor_message("w", "link.bin")))), "imported");
}

TEST_F(OnnxImport, ExternalDataInAttributesIsChecked) {
  const std::string attribute = message([](pbf_writer& w) {
    w.add_string(1, "value");
    w.add_message(5, external_tensor_message("", "gone.bin"));
  });
  GraphParts graph = relu_graph();
  graph.nodes.push_back(op("Constant", {}, {"c"}, "", {attribute}));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(graph.message_()))), HasSubstr("gone.bin"));
}

TEST_F(OnnxImport, RefusesBadExternalData) {
  write("weights.bin", std::string(48, 'w'));
  const fs::path outside = fs::path(folder_.string() + "-outside");
  std::ofstream(outside) << std::string(64, 'o');
  fs::create_symlink(outside, folder_ / "out.bin");
  fs::create_symlink("loop.bin", folder_ / "loop.bin");
  fs::create_directories(folder_ / "folder.bin");
  fs::create_directories(folder_ / "*");
  write("*/_ORT_MEM_ADDR_/*", std::string(64, 'm'));
  struct Case {
    std::string location, offset, length, expected;
  };
  const std::vector<Case> cases{
      {"gone.bin", "", "", "no such file"},
      {"", "", "", "name is missing"},
      {outside.string(), "", "", "only files in the model's own folder"},
      {"../" + outside.filename().string(), "", "", "only files in the model's own folder"},
      {"data/../weights.bin", "", "", "only files in the model's own folder"},
      {"out.bin", "", "", "leads out of the model's folder"},
      {"loop.bin", "", "", "loop.bin"},
      {"folder.bin", "", "", "not a regular file"},
      {"*/_ORT_MEM_ADDR_/*", "", "", "are not files"},
      {std::string("weights.bin\0x", 13), "", "", "zero byte"},
      {"weights.bin", "40", "", "needs 16 bytes from byte 40, but the file has 48"},
      {"weights.bin", "49", "", "but the file has 48"},
      {"weights.bin", "18446744073709551615", "", "but the file has 48"},
      {"weights.bin", "-1", "", "offset '-1' is not a number"},
      {"weights.bin", "0", "many", "length 'many' is not a number"},
      {"weights.bin", "0", "8", "its shape needs 16 bytes, but its length is 8"},
  };
  for (const Case& test : cases) {
    const std::string error = error_of(import(
        external_model(external_tensor_message("w", test.location, test.offset, test.length))));
    EXPECT_THAT(error, HasSubstr(test.expected)) << test.location;
    EXPECT_THAT(error, HasSubstr("tensor 'w'")) << test.location;
  }
  EXPECT_THAT(error_of(import(external_model(external_tensor_message(
                  "w", "weights.bin", "", "", std::numeric_limits<int64_t>::max())))),
              HasSubstr("more bytes than can be counted"));
  EXPECT_THAT(
      error_of(import(external_model(external_tensor_message("w", "weights.bin", "", "", -5)))),
      HasSubstr("negative dimension"));
  fs::remove(outside);
}

// Refusals.

TEST_F(OnnxImport, RefusesTypesThatCantBeServed) {
  const std::string tensor = tensor_type(1, {});
  const std::vector<std::pair<std::string, std::string>> cases{
      {sequence_type(sequence_type(tensor)), "sequence(sequence(tensor(float)))"},
      {optional_type(map_type(tensor)), "optional(map(int64,tensor(float)))"},
      {sequence_type(tensor_type(14, {})), "sequence(tensor(complex64))"},
      {sequence_type(""), "sequence(undefined)"},
      {message([](pbf_writer& w) {
         w.add_message(8, message([](pbf_writer& t) { t.add_int32(1, 1); }));
       }),
       "sparse_tensor(float)"},
      {tensor_type(14, {}), "tensor(complex64)"},
      {tensor_type(99, {}), "tensor(type 99)"},
  };
  for (const auto& [type, words] : cases) {
    GraphParts graph = relu_graph();
    graph.inputs.push_back(value("odd", type));
    EXPECT_THAT(error_of(import(ModelParts{}.message_(graph.message_()))),
                HasSubstr("input 'odd' has type " + words));
    graph = relu_graph();
    graph.outputs.push_back(value("odd", type));
    EXPECT_THAT(error_of(import(ModelParts{}.message_(graph.message_()))),
                HasSubstr("output 'odd' has type " + words));
  }
}

TEST_F(OnnxImport, RefusesIncompleteModels) {
  const std::string graph = relu_graph().message_();
  EXPECT_THAT(error_of(import(ModelParts{8, {}}.message_(graph))), HasSubstr("no operator set"));
  EXPECT_THAT(error_of(import(ModelParts{0}.message_(graph))), HasSubstr("no IR version"));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(""))), HasSubstr("the graph is empty"));
  EXPECT_THAT(error_of(import(message([](pbf_writer& w) { w.add_int64(1, 8); }))),
              HasSubstr("no graph"));
  EXPECT_EQ(error_of(import(ModelParts{2, {}}.message_(graph))), "imported");
  GraphParts two = relu_graph();
  two.outputs.push_back(two.outputs.front());
  EXPECT_THAT(error_of(import(ModelParts{}.message_(two.message_()))),
              HasSubstr("two outputs named 'y'"));
  two = relu_graph();
  two.inputs.push_back(two.inputs.front());
  EXPECT_THAT(error_of(import(ModelParts{}.message_(two.message_()))),
              HasSubstr("two inputs named 'x'"));
  GraphParts unnamed = relu_graph();
  unnamed.outputs.push_back(value("", tensor_type(1, {})));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(unnamed.message_()))),
              HasSubstr("has no name"));
  unnamed.outputs.back() = value("\xff\xfe", tensor_type(1, {}));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(unnamed.message_()))), HasSubstr("not UTF-8"));
}

TEST_F(OnnxImport, BoundsNesting) {
  const auto nested = [](int levels) {
    std::string graph = GraphParts{{op("Relu", {"a"}, {"b"})}, {}, {}, {}}.message_();
    for (int i = 1; i < levels; ++i) {
      const std::string attribute = message([&](pbf_writer& w) { w.add_message(6, graph); });
      graph = GraphParts{{op("If", {"c"}, {"d"}, "", {attribute})}, {}, {}, {}}.message_();
    }
    GraphParts outer = relu_graph();
    outer.nodes.push_back(
        op("If", {"c"}, {"d"}, "", {message([&](pbf_writer& w) { w.add_message(6, graph); })}));
    return ModelParts{}.message_(outer.message_());
  };
  EXPECT_EQ(error_of(import(nested(64))), "imported");
  EXPECT_THAT(error_of(import(nested(65))), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_of(import(nested(2000))), HasSubstr("nested deeper than 64"));
  std::string type = tensor_type(1, {});
  for (int i = 0; i < 1000; ++i) type = sequence_type(type);
  GraphParts graph = relu_graph();
  graph.outputs.push_back(value("deep", type));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(graph.message_()))),
              HasSubstr("nested deeper than 16"));
}

TEST_F(OnnxImport, BoundsCounts) {
  GraphParts graph = relu_graph();
  graph.inputs.push_back(value("wide", tensor_type(1, std::vector<Dim>(65))));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(graph.message_()))),
              HasSubstr("64 dimensions"));
  graph = relu_graph();
  for (int i = 0; i < 70000; ++i) graph.inputs.push_back(value(std::to_string(i), ""));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(graph.message_()))), HasSubstr("65536 inputs"));
  graph = relu_graph();
  for (int i = 0; i < 10001; ++i) graph.nodes.push_back(op("Op" + std::to_string(i), {}, {}));
  EXPECT_THAT(error_of(import(ModelParts{}.message_(graph.message_()))),
              HasSubstr("10000 different operators"));
}

TEST_F(OnnxImport, SaysWhatOtherFilesAre) {
  EXPECT_THAT(error_of(import("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(error_of(import(std::string("\x18\0\0\0ORTM\0\0\0\0", 12))),
              HasSubstr(".ort format"));
  EXPECT_THAT(error_of(import("")), HasSubstr("empty"));
}

TEST_F(OnnxImport, TruncationIsSaidWithItsPlace) {
  const std::string content = relu_model();
  const std::string file = write("model.onnx", content.substr(0, content.size() / 2));
  EXPECT_EQ(importer_->recognise(file), file);
  const std::string error = error_of(importer_->import(file, {}));
  EXPECT_THAT(error, HasSubstr(file));
  EXPECT_THAT(error, HasSubstr("truncated at byte " + std::to_string(content.size() / 2) +
                               " in field graph"));
}

// Robustness: any damage gives a model or an error, never a crash.

void import_all_damaged(const std::string& content, const std::string& file) {
  size_t imported = 0;
  for (size_t size = 0; size < content.size(); ++size) {
    // A copy of exactly this size, so that reading beyond it is seen by the address sanitizer.
    const std::vector<char> cut(content.begin(), content.begin() + static_cast<ptrdiff_t>(size));
    const std::string_view view(cut.data(), cut.size());
    (void)is_model(view);
    imported += import_content(view, file).ok() ? 1 : 0;
  }
  EXPECT_LT(imported, content.size() / 2);
  std::string flipped = content;
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    const auto mask = static_cast<char>(1U << (bit % 8));
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ mask);
    (void)is_model(flipped);
    const auto model = import_content(flipped, file);
    if (!model.ok()) {
      EXPECT_FALSE(base::message(model.status()).empty());
    }
    flipped[bit / 8] = content[bit / 8];
  }
  EXPECT_TRUE(import_content(content, file).ok());
}

TEST_F(OnnxImport, SurvivesAnyTruncationAndBitFlip) {
  write("weights.bin", std::string(64, 'w'));
  const std::string file = (folder_ / "model.onnx").string();
  import_all_damaged(relu_model(), file);
  import_all_damaged(external_model(external_tensor_message("w", "weights.bin", "16", "16")), file);
  import_all_damaged(zipmap_model(labels(std::vector<int64_t>{1, 2, 300})), file);
}

// Recognition.

TEST_F(OnnxImport, RecognisesByContent) {
  const std::string odd_name = write("weights.pb", relu_model());
  EXPECT_EQ(importer_->recognise(odd_name), odd_name);
  for (const std::string& content :
       {std::string("hello, this is text\n"), std::string("{\"json\": 1}"), std::string(),
        std::string(1000, '\0'), std::string("PK\x03\x04 zip"), std::string("\x08\x07"),
        message([](pbf_writer& w) {  // as a TensorFlow SavedModel looks from outside
          w.add_int64(1, 1);
          w.add_message(2, std::string(100, 'x'));
        }),
        message([](pbf_writer& w) {  // as a TensorFlow graph does
          w.add_message(1, std::string(100, 'x'));
          w.add_message(4, std::string());
        })}) {
    EXPECT_EQ(importer_->recognise(write("other", content)), "") << content.substr(0, 20);
  }
  EXPECT_EQ(importer_->recognise((folder_ / "missing").string()), "");
  const std::string damaged = write("damaged.ONNX", "nonsense");
  EXPECT_EQ(importer_->recognise(damaged), damaged);
}

TEST_F(OnnxImport, RecognisesFolders) {
  EXPECT_EQ(importer_->recognise(folder_.string()), "");
  write("labels.txt", "cat\n");
  write("input.npy", "x");
  EXPECT_EQ(importer_->recognise(folder_.string()), "");
  const std::string first = write("first.onnx", relu_model());
  write("._first.onnx", "junk of another system");
  EXPECT_EQ(importer_->recognise(folder_.string()), first);
  write("second.onnx", relu_model());
  EXPECT_EQ(importer_->recognise(folder_.string()), folder_.string());
  const std::string error = error_of(importer_->import(folder_.string(), {}));
  EXPECT_THAT(error, HasSubstr("several ONNX models (first.onnx, second.onnx)"));
  const std::string preferred = write("model.onnx", relu_model());
  EXPECT_EQ(importer_->recognise(folder_.string()), preferred);
  fs::remove(preferred);
  const std::string inner = write("model.onnx/model.onnx", relu_model());
  EXPECT_EQ(importer_->recognise(folder_.string()), inner);
}

// Real models, where they are at hand.

fs::path models_folder() {
  if (const char* folder = std::getenv("SUPERNOVA_TEST_MODELS")) return folder;
  const char* source = std::getenv("SUPERNOVA_SOURCE_DIR");
  return fs::path(source != nullptr ? source : ".") / "../shared/models";
}

TEST_F(OnnxImport, ImportsRealModels) {
  const fs::path folder = models_folder() / "onnx";
  if (!fs::is_directory(folder)) GTEST_SKIP() << "no models in " << folder;
  for (const auto& model : fs::directory_iterator(folder)) {
    const std::string file = importer_->recognise(model.path().string());
    ASSERT_FALSE(file.empty()) << model.path();
    const auto imported = importer_->import(file, {});
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_FALSE(imported->description.outputs.empty()) << file;
    EXPECT_FALSE(imported->description.operators.empty()) << file;
    EXPECT_FALSE(imported->description.version.empty()) << file;
  }
}

TEST_F(OnnxImport, ClaimsNoModelOfAnotherFormat) {
  const fs::path folder = models_folder();
  if (!fs::is_directory(folder)) GTEST_SKIP() << "no models in " << folder;
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path inside = fs::relative(entry.path(), folder);
    if (!entry.is_regular_file() || *inside.begin() == "onnx") continue;
    ++files;
    EXPECT_EQ(importer_->recognise(entry.path().string()), "") << inside;
  }
  EXPECT_GT(files, 0U);
}

TEST_F(OnnxImport, ImportsTheOperatorCases) {
  const fs::path folder = "/usr/share/libonnx-testdata/data";
  if (!fs::is_directory(folder)) GTEST_SKIP() << "package libonnx-testdata is not installed";
  size_t imported = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != "model.onnx") continue;
    const std::string file = importer_->recognise(entry.path().parent_path().string());
    EXPECT_EQ(file, entry.path().string());
    const auto model = importer_->import(file, {});
    EXPECT_TRUE(model.ok()) << model.status();
    ++imported;
  }
  EXPECT_GT(imported, 0U);
}

}  // namespace
}  // namespace supernova::import::onnx
