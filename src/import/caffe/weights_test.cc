#include "import/caffe/weights.h"

#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::string& file) {
  const auto weights = read_weights(file, nullptr);
  return weights.ok() ? "read" : std::string(base::message(weights.status()));
}

TEST(CaffeWeights, NumbersInEveryForm) {
  for (const Form form :
       {Form::kPacked, Form::kUnpacked, Form::kDouble, Form::kHalf, Form::kOldShape}) {
    for (const bool old : {false, true}) {
      const std::string file = caffemodel({{"a", {{{1, 1, 2, 2}, {1.5, -2, 0, 4}, form}}}}, old);
      EXPECT_TRUE(is_weights(file));
      const auto weights = read_weights(file, nullptr);
      ASSERT_TRUE(weights.ok()) << weights.status();
      EXPECT_EQ(weights->old_layers, old);
      const graph::Constant& blob = weights->layers.at("a").blobs.at(0);
      EXPECT_THAT(blob.shape(), ElementsAre(1, 1, 2, 2));
      EXPECT_THAT(blob.values<float>(), ElementsAre(1.5, -2, 0, 4));
    }
  }
}

TEST(CaffeWeights, PackedNumbersStayWhereTheyAre) {
  const std::string file = caffemodel({{"a", {blob_of({1000})}}});
  const auto weights = read_weights(file, nullptr);
  ASSERT_TRUE(weights.ok());
  const std::string_view bytes = weights->layers.at("a").blobs.at(0).bytes();
  EXPECT_GE(bytes.data(), file.data());
  EXPECT_LE(bytes.data() + bytes.size(), file.data() + file.size());
}

TEST(CaffeWeights, RefusesWhatCannotBe) {
  EXPECT_THAT(error_of(caffemodel({{"a", {{{3}, {1, 2}}}}})), HasSubstr("layer 'a', blob 0"));
  EXPECT_THAT(error_of(caffemodel({{"a", {{{-3}, {1, 2}}}}})), HasSubstr("layer 'a', blob 0"));
  EXPECT_THAT(error_of(caffemodel({{"a", {{{1LL << 40, 1LL << 40}, {1}}}}})),
              HasSubstr("layer 'a', blob 0"));
  EXPECT_THAT(error_of(""), HasSubstr("no layers"));
  // V0: a layer inside of the layer.
  std::string inner;
  protozero::pbf_writer(inner).add_string(1, "c");
  std::string outer;
  protozero::pbf_writer(outer).add_message(1, inner);
  std::string file;
  protozero::pbf_writer(file).add_message(2, outer);
  EXPECT_TRUE(is_weights(file));
  EXPECT_THAT(error_of(file), HasSubstr("V0"));
}

TEST(CaffeWeights, EveryTruncationIsSaid) {
  const std::string file =
      caffemodel({{"a", {blob_of({2, 3}), blob_of({2})}}, {"b", {blob_of({4})}}});
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    const auto weights = read_weights(cut, nullptr);
    if (weights.ok()) {  // cut between two layers
      EXPECT_LT(weights->layers.size(), 2);
    } else {
      EXPECT_THAT(std::string(base::message(weights.status())),
                  testing::AnyOf(HasSubstr("byte"), HasSubstr("no layers")));
    }
  }
}

TEST(CaffeWeights, OtherFilesAreNotWeights) {
  EXPECT_FALSE(is_weights("name: \"net\""));
  EXPECT_FALSE(is_weights(""));
  std::string onnx;  // IR version, producer, graph
  protozero::pbf_writer writer(onnx);
  writer.add_int64(1, 8);
  writer.add_string(2, "maker");
  writer.add_message(7, std::string());
  EXPECT_FALSE(is_weights(onnx));
  std::string graph_def;  // TensorFlow: node, library
  protozero::pbf_writer(graph_def).add_message(1, std::string("\x0a\x01x"));
  protozero::pbf_writer(graph_def).add_message(2, std::string());
  EXPECT_FALSE(is_weights(graph_def));
}

}  // namespace
}  // namespace supernova::import::caffe
