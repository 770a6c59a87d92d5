#include "import/caffe/net.h"

#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

base::Result<Net> net_of_text(const std::string& text, const tensor::Options& options = {}) {
  SN_ASSIGN(auto parsed, parse_text(text));
  return read_net(std::move(parsed), options);
}

std::vector<std::string> names_of(const base::Result<Net>& net) {
  EXPECT_TRUE(net.ok()) << net.status();
  std::vector<std::string> names;
  if (net.ok()) {
    for (const Layer& layer : net->layers) names.push_back(layer.name);
  }
  return names;
}

TEST(CaffeNet, InputsInEveryForm) {
  const std::string relu = "layer { name: \"r\" type: \"ReLU\" bottom: \"a\" top: \"y\" }";
  for (const char* form : {"input: \"a\" input_dim: 1 input_dim: 3 input_dim: 2 input_dim: 2 ",
                           "input: \"a\" input_shape { dim: 1 dim: 3 dim: 2 dim: 2 } ",
                           "layer { name: \"i\" type: \"Input\" top: \"a\" input_param { shape { "
                           "dim: [1, 3, 2, 2] } } } "}) {
    const auto net = net_of_text(form + relu);
    ASSERT_TRUE(net.ok()) << net.status();
    ASSERT_EQ(net->inputs.size(), 1);
    EXPECT_EQ(net->inputs[0].name, "a");
    EXPECT_THAT(net->inputs[0].shape, ElementsAre(1, 3, 2, 2));
  }
  const auto own = net_of_text("input: \"a\" " + relu, {{"input_shape.a", "1,3,8,8"}});
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_THAT(own->inputs[0].shape, ElementsAre(1, 3, 8, 8));
}

TEST(CaffeNet, OlderFormHasTheNewerNames) {
  const auto net = net_of_text(
      "input: \"a\" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1 "
      "layers { name: \"c\" type: CONVOLUTION bottom: \"a\" top: \"b\" blobs_lr: 1 }"
      "layers { name: \"p\" type: 17 bottom: \"b\" top: \"b\" }");
  ASSERT_TRUE(net.ok()) << net.status();
  EXPECT_TRUE(net->old_layers);
  EXPECT_EQ(net->layers[0].type, "Convolution");
  EXPECT_EQ(net->layers[1].type, "Pooling");
}

TEST(CaffeNet, PhasesLevelsAndStagesChooseLayers) {
  const std::string text =
      "layer { name: \"train\" type: \"A\" include { phase: TRAIN } }"
      "layer { name: \"test\" type: \"A\" include { phase: TEST } }"
      "layer { name: \"not test\" type: \"A\" exclude { phase: TEST } }"
      "layer { name: \"high\" type: \"A\" include { min_level: 1 } }"
      "layer { name: \"low\" type: \"A\" include { max_level: 0 } }"
      "layer { name: \"staged\" type: \"A\" include { phase: TEST stage: \"s\" } }"
      "layer { name: \"not staged\" type: \"A\" include { not_stage: \"s\" } }";
  EXPECT_THAT(names_of(net_of_text(text)), ElementsAre("test", "low", "not staged"));
  EXPECT_THAT(names_of(net_of_text(text, {{"stages", "s,t"}})),
              ElementsAre("test", "low", "staged"));
}

TEST(CaffeNet, TheDeployStageIsTakenWhereThereIsOne) {
  const auto net = net_of_text(
      "layer { name: \"a\" type: \"A\" include { stage: \"deploy\" } }"
      "layer { name: \"b\" type: \"A\" exclude { stage: \"deploy\" } }");
  EXPECT_THAT(names_of(net), ElementsAre("a"));
  EXPECT_THAT(net->notes, ElementsAre(HasSubstr("'deploy'")));
}

TEST(CaffeNet, RefusesWhatCannotBe) {
  const auto error = [](const std::string& text, const tensor::Options& options = {}) {
    const auto net = net_of_text(text, options);
    return net.ok() ? "read" : std::string(base::message(net.status()));
  };
  const std::string relu = "layer { name: \"r\" type: \"ReLU\" bottom: \"a\" top: \"y\" }";
  EXPECT_THAT(error("input: \"a\" " + relu), HasSubstr("option input_shape.a="));
  EXPECT_THAT(error("input: \"a\" input_dim: 1 " + relu), HasSubstr("four per input"));
  EXPECT_THAT(error("input: \"a\" input: \"a\" " + relu), HasSubstr("two inputs named 'a'"));
  EXPECT_THAT(error(input_layer("a", {1, 0}) + relu), HasSubstr("size of 0"));
  EXPECT_THAT(error(input_layer("a", {1, -3}) + relu), HasSubstr("not a possible size"));
  EXPECT_THAT(error("layers { layer { name: \"c\" type: \"conv\" } }"), HasSubstr("V0"));
  EXPECT_THAT(error("layers { name: \"c\" type: NOSUCH }"), HasSubstr("1:26: layer type 'NOSUCH'"));
  EXPECT_THAT(error("layer { name: \"c\" }"), HasSubstr("without a type"));
  EXPECT_THAT(error("name: \"c\""), HasSubstr("no layers"));
  EXPECT_THAT(error(relu, {{"input_shape.b", "1"}}), HasSubstr("no input of the net"));
}

TEST(CaffeConvert, InPlaceBlobsAndOutputsInTheNetsOrder) {
  const std::string net = input_layer("data", {1, 2}) +
                          "layer { name: \"z\" type: \"Power\" bottom: \"data\" top: \"z\" "
                          "power_param { shift: 1 } }"
                          "layer { name: \"a\" type: \"Power\" bottom: \"data\" top: \"a\" "
                          "power_param { scale: 2 } }"
                          "layer { name: \"again\" type: \"Power\" bottom: \"a\" top: \"a\" "
                          "power_param { scale: 2 } }";
  const auto model = import_net(net);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->description.outputs.size(), 2);
  EXPECT_EQ(model->description.outputs[0].name, "z");
  EXPECT_EQ(model->description.outputs[1].name, "a");
  const auto got = run_net(net, {}, {float_tensor("data", {1, 2}, {1, 2})});
  EXPECT_THAT(numbers(got, "z"), ElementsAre(2, 3));
  EXPECT_THAT(numbers(got, "a"), ElementsAre(4, 8));
}

TEST(CaffeConvert, ABatchOfAnySizeWhereItemsStayApart) {
  const auto first_size = [](const std::string& text, const tensor::Options& options = {}) {
    const auto model = import_net(text, {}, options);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? model->description.inputs.at(0).shape.at(0) : -2;
  };
  EXPECT_EQ(first_size(net_of({10, 3, 2, 2}, "ReLU")), -1);
  EXPECT_EQ(first_size(net_of({10, 3, 2, 2}, "ReLU"), {{"batch", "fixed"}}), 10);
  EXPECT_EQ(first_size(net_of({10, 3}, "Softmax", "softmax_param { axis: 0 }")), 10);
  EXPECT_EQ(first_size(net_of({4, 3}, "Reshape", "reshape_param { shape { dim: 2 dim: -1 } }")), 4);
  const auto batched =
      run_net(net_of({1, 2}, "Softmax"), {}, {float_tensor("data", {2, 2}, {0, 0, 5, 5})});
  expect_near(numbers(batched), {0.5, 0.5, 0.5, 0.5});
}

TEST(CaffeConvert, APlaceholderOfOnePixelIsAnImageOfAnySize) {
  const std::string net =
      net_of({1, 1, 1, 1}, "Convolution",
             "convolution_param { num_output: 1 kernel_size: 3 pad: 1 bias_term: "
             "false }");
  const std::vector<Trained> weights{{"op", {{{1, 1, 3, 3}, {0, 0, 0, 0, 2, 0, 0, 0, 0}}}}};
  const auto model = import_net(net, weights);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->description.inputs.at(0).shape, ElementsAre(-1, 1, -1, -1));
  EXPECT_THAT(numbers(run_net(net, weights, {float_tensor("data", {1, 1, 1, 3}, {1, 2, 3})})),
              ElementsAre(2, 4, 6));
}

TEST(CaffeConvert, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal("layer { name: \"r\" type: \"ReLU\" bottom: \"nobody\" top: \"y\" }"),
              HasSubstr("its bottom 'nobody' is made by no layer before it"));
  EXPECT_THAT(refusal(net_of({1, 2}, "ReLU") +
                      "layer { name: \"r\" type: \"ReLU\" bottom: \"data\" top: \"out\" }"),
              HasSubstr("'out' is made by another layer already"));
  EXPECT_THAT(refusal(net_of({1, 1000000, 1000000}, "ReLU")), HasSubstr("too large"));
  EXPECT_THAT(refusal(net_of({1, 2}, "Convolution"), {}, {{"batch", "many"}}),
              HasSubstr("option batch is 'many'"));
  EXPECT_THAT(refusal("name: \"solver\" net: \"a\""), HasSubstr("not a net's description"));
}

TEST(CaffeConvert, WithoutWeightsTheLayersThatNeedThemAreNamed) {
  const std::string net = net_of({1, 2}, "InnerProduct", "inner_product_param { num_output: 2 }") +
                          "layer { name: \"next\" type: \"PReLU\" bottom: \"out\" top: \"p\" }"
                          "layer { name: \"other\" type: \"Scale\" bottom: \"data\" top: \"s\" }";
  const std::string message = refusal(net);
  EXPECT_THAT(message, HasSubstr("'op'"));
  EXPECT_THAT(message, HasSubstr("'other'"));
  EXPECT_THAT(message, HasSubstr("no .caffemodel beside the net"));
  EXPECT_THAT(refusal(net, {{"op", {blob_of({2, 2}), blob_of({2})}}}), testing::StrEq("imported"));
}

}  // namespace
}  // namespace supernova::import::caffe
