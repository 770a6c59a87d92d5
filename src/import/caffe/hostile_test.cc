// Model files are hostile input: whatever the bytes, there is a model or an error, soon.
#include <limits>

#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::HasSubstr;

std::string small_net() {
  return input_layer("data", {1, 2, 6, 6}) +
         "layer { name: \"c\" type: \"Convolution\" bottom: \"data\" top: \"c\" convolution_param "
         "{ "
         "num_output: 2 kernel_size: 3 } }\n"
         "layer { name: \"bn\" type: \"BatchNorm\" bottom: \"c\" top: \"c\" }\n"
         "layer { name: \"p\" type: \"Pooling\" bottom: \"c\" top: \"p\" pooling_param { pool: AVE "
         "kernel_size: 2 stride: 2 pad: 1 } }\n"
         "layer { name: \"f\" type: \"InnerProduct\" bottom: \"p\" top: \"f\" inner_product_param "
         "{ "
         "num_output: 3 } }\n"
         "layer { name: \"s\" type: \"Softmax\" bottom: \"f\" top: \"prob\" }\n";
}

std::vector<Trained> small_weights() {
  return {{"c", {blob_of({2, 2, 3, 3}), blob_of({2})}},
          {"bn", {blob_of({2}), blob_of({2}), {{1}, {1}}}},
          {"f", {blob_of({3, 18}), blob_of({3})}}};
}

base::Result<tensor::ImportedModel> import_bytes(const std::string& net,
                                                 const std::string& weights) {
  return import_content({"net.prototxt", net, nullptr}, Content{"net.caffemodel", weights, nullptr},
                        {});
}

TEST(CaffeHostile, TheWholeModelIsGood) {
  const auto model = import_bytes(small_net(), caffemodel(small_weights()));
  EXPECT_TRUE(model.ok()) << model.status();
}

TEST(CaffeHostile, TruncatedAtEveryLength) {
  const std::string net = small_net();
  const std::string weights = caffemodel(small_weights());
  for (size_t size = 0; size < net.size(); ++size) {
    const auto model = import_bytes(net.substr(0, size), weights);
    if (!model.ok()) {
      EXPECT_THAT(std::string(base::message(model.status())), HasSubstr("net.prototxt"));
    }
  }
  for (size_t size = 0; size < weights.size(); ++size) {
    const auto model = import_bytes(net, weights.substr(0, size));
    ASSERT_FALSE(model.ok()) << size;
    EXPECT_THAT(std::string(base::message(model.status())), HasSubstr("net."));
  }
}

TEST(CaffeHostile, BitFlipsAndStrayBytes) {
  const std::string net = small_net();
  const std::string weights = caffemodel(small_weights());
  for (size_t at = 0; at < net.size(); ++at) {
    std::string damaged = net;
    damaged[at] = static_cast<char>(damaged[at] ^ (1U << (at % 8)));
    (void)import_bytes(damaged, weights);
    damaged[at] = "09-{}\"x#"[at % 8];
    (void)import_bytes(damaged, weights);
  }
  for (size_t at = 0; at < weights.size(); ++at) {
    std::string damaged = weights;
    damaged[at] = static_cast<char>(damaged[at] ^ (1U << (at % 8)));
    (void)import_bytes(net, damaged);
  }
}

// Every number of every parameter replaced by absurd ones.
TEST(CaffeHostile, AbsurdNumbersEverywhere) {
  const std::vector<std::string> nets{
      small_net(),
      net_of({1, 4, 5, 5}, "Deconvolution",
             "convolution_param { num_output: 2 kernel_size: 3 stride: 2 pad: 1 group: 2 }"),
      net_of({1, 4, 5, 5}, "SPP", "spp_param { pyramid_height: 2 }"),
      net_of({1, 4, 5, 5}, "Interp", "interp_param { height: 2 width: 3 pad_beg: 0 }"),
      net_of({1, 4, 5, 5}, "Interp", "interp_param { zoom_factor: 2 shrink_factor: 1 }"),
      net_of({1, 4, 5, 5}, "Upsample", "upsample_param { scale: 2 upsample_h: 10 }"),
      net_of({1, 4, 5, 5}, "Tile", "tile_param { axis: 1 tiles: 2 }"),
      net_of({1, 4, 5, 5}, "Permute", "permute_param { order: 0 order: 2 }"),
      net_of({1, 4, 5, 5}, "Flatten", "flatten_param { axis: 1 end_axis: 2 }"),
      net_of({1, 4, 5, 5}, "Reshape",
             "reshape_param { shape { dim: 0 dim: 4 dim: 25 } axis: 0 num_axes: 4 }"),
      net_of({1, 4, 5, 5}, "LRN", "lrn_param { local_size: 5 norm_region: WITHIN_CHANNEL }"),
      net_of({1, 4, 5, 5}, "ArgMax", "argmax_param { top_k: 1 axis: 1 }"),
      net_of({1, 4, 5, 5}, "Reduction", "reduction_param { axis: 1 operation: 1 }"),
      net_of({1, 4, 5, 5}, "ShuffleChannel", "shuffle_channel_param { group: 2 }"),
      net_of({1, 4, 5, 5}, "PriorBox",
             "prior_box_param { min_size: 5 max_size: 7 step: 8 img_size: 50 aspect_ratio: 2 }"),
      net_of({5, 4, 5}, "Embed", "embed_param { num_output: 2 input_dim: 3 }"),
      net_of({1, 4}, "Softmax", "softmax_param { axis: 1 }"),
      net_of({1, 4}, "Scale", "scale_param { axis: 1 num_axes: 1 filler { value: 1 } }")};
  const std::string weights = caffemodel({{"c", {blob_of({1})}}});
  for (const std::string& net : nets) {
    for (size_t at = 0; at < net.size(); ++at) {
      const bool number = net[at] >= '0' && net[at] <= '9' && net[at - 1] == ' ';
      if (!number) continue;
      const size_t end = net.find_first_not_of("0123456789", at);
      for (const char* absurd :
           {"0", "-1", "-2147483648", "2147483647", "4294967295", "9223372036854775807", "65536",
            "1e30", "nan", "-inf", "99999999999999999999"}) {
        (void)import_bytes(net.substr(0, at) + absurd + net.substr(end), weights);
      }
    }
  }
}

TEST(CaffeHostile, ANetThatGrowsWithoutEndIsRefused) {
  std::string net = input_layer("data", {1, 1, 8, 8});
  std::string blob = "data";
  for (int i = 0; i < 60; ++i) {  // twice the size each time
    const std::string next = "t" + std::to_string(i);
    net += "layer { name: \"" + next + "\" type: \"Tile\" bottom: \"" + blob + "\" top: \"" + next +
           "\" tile_param { tiles: 2 } }\n";
    blob = next;
  }
  EXPECT_THAT(refusal(net), HasSubstr("too large"));
}

TEST(CaffeHostile, ConstantsWithoutEndAreRefused) {
  std::string net = input_layer("data", {1, 1, 1000, 1000});
  for (int i = 0; i < 50; ++i) {
    net += base::str_cat("layer { name: \"p", i,
                         "\" type: \"PriorBox\" bottom: \"data\" bottom: ", "\"data\" top: \"t", i,
                         "\" prior_box_param { min_size: 3 } }\n");
  }
  EXPECT_THAT(refusal(net), HasSubstr("too many constant numbers"));
}

TEST(CaffeHostile, LayersThatReadEachOtherAreRefused) {
  EXPECT_THAT(refusal(input_layer("data", {1, 2}) +
                      "layer { name: \"a\" type: \"ReLU\" bottom: \"b\" top: \"a\" }"
                      "layer { name: \"b\" type: \"ReLU\" bottom: \"a\" top: \"b\" }"),
              HasSubstr("its bottom 'b' is made by no layer before it"));
  EXPECT_THAT(refusal(input_layer("data", {1, 2}) +
                      "layer { name: \"a\" type: \"ReLU\" bottom: \"a\" top: \"a\" }"),
              HasSubstr("its bottom 'a' is made by no layer before it"));
}

TEST(CaffeHostile, ManyLayersTakeTheTimeOfMany) {
  std::string net = input_layer("data", {1, 2});
  for (int i = 0; i < 3000; ++i) {
    net += "layer { name: \"r" + std::to_string(i) + "\" type: \"ReLU\" bottom: \"data\" top: \"t" +
           std::to_string(i) + "\" }\n";
  }
  EXPECT_EQ(refusal(net), "imported");
}

}  // namespace
}  // namespace supernova::import::caffe
