#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

std::string three(const std::string& params, const std::string& last = "c") {
  return input_layer("a", {1, 2}) + input_layer("b", {1, 2}) + input_layer(last, {1, 2}) +
         "layer { name: \"op\" type: \"Eltwise\" bottom: \"a\" bottom: \"b\" bottom: \"" + last +
         "\" top: \"out\" " + params + " }";
}

Floats run_three(const std::string& params) {
  return numbers(run_net(three(params), {},
                         {float_tensor("a", {1, 2}, {1, -2}), float_tensor("b", {1, 2}, {3, 4}),
                          float_tensor("c", {1, 2}, {5, 0.5})}));
}

TEST(CaffeEltwise, AddsMultipliesAndTakesTheLargest) {
  EXPECT_THAT(run_three(""), ElementsAre(9, 2.5));
  EXPECT_THAT(run_three("eltwise_param { coeff: 2 coeff: -1 coeff: 0.5 }"),
              ElementsAre(1.5, -7.75));
  EXPECT_THAT(run_three("eltwise_param { operation: PROD }"), ElementsAre(15, -4));
  EXPECT_THAT(run_three("eltwise_param { operation: MAX }"), ElementsAre(5, 4));
  EXPECT_THAT(run_three("eltwise_param { operation: 0 }"), ElementsAre(15, -4));
}

TEST(CaffeEltwise, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal(three("eltwise_param { coeff: 1 }")), HasSubstr("1 coeff for 3 bottoms"));
  EXPECT_THAT(refusal(three("eltwise_param { operation: PROD coeff: 1 coeff: 1 coeff: 1 }")),
              HasSubstr("does not add"));
  EXPECT_THAT(refusal(input_layer("a", {1, 2}) + input_layer("b", {1, 3}) +
                      "layer { name: \"op\" type: \"Eltwise\" bottom: \"a\" bottom: \"b\" top: "
                      "\"out\" }"),
              HasSubstr("shapes [1,2] and [1,3]"));
}

TEST(CaffeAxpy, ScalesChannelsAndAdds) {
  const std::string net = input_layer("a", {1, 2, 1, 1}) + input_layer("x", {1, 2, 1, 2}) +
                          input_layer("y", {1, 2, 1, 2}) +
                          "layer { name: \"op\" type: \"Axpy\" bottom: \"a\" bottom: \"x\" bottom: "
                          "\"y\" top: \"out\" }";
  EXPECT_THAT(numbers(run_net(net, {},
                              {float_tensor("a", {1, 2, 1, 1}, {2, 10}),
                               float_tensor("x", {1, 2, 1, 2}, {1, 2, 3, 4}),
                               float_tensor("y", {1, 2, 1, 2}, {0, 1, 0, 1})})),
              ElementsAre(2, 5, 30, 41));
}

}  // namespace
}  // namespace supernova::import::caffe
