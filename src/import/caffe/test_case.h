// For the case files: a net as text with weights written on the spot, imported and run.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "import/caffe/caffe_importer.h"
#include "support/run_import.h"

namespace supernova::import::caffe::testing_ {

using test::float_tensor;
using test::some_floats;
using Floats = std::vector<float>;

enum class Form { kPacked, kUnpacked, kDouble, kHalf, kOldShape };

struct Blob {
  std::vector<int64_t> shape;
  Floats values;
  Form form = Form::kPacked;
};

struct Trained {
  std::string name;
  std::vector<Blob> blobs;
};

inline Blob blob_of(std::vector<int64_t> shape, uint32_t seed = 1) {
  size_t count = 1;
  for (const int64_t size : shape) count *= static_cast<size_t>(size);
  return {std::move(shape), some_floats(count, seed)};
}

inline std::string blob_message(const Blob& blob) {
  std::string out;
  protozero::pbf_writer writer(out);
  if (blob.form == Form::kOldShape) {
    for (uint32_t i = 0; i < 4; ++i) {
      const size_t missing = 4 - blob.shape.size();
      writer.add_int32(i + 1, i < missing ? 1 : static_cast<int32_t>(blob.shape[i - missing]));
    }
  } else {
    std::string shape;
    protozero::pbf_writer(shape).add_packed_int64(1, blob.shape.begin(), blob.shape.end());
    writer.add_message(7, shape);
  }
  const auto begin = blob.values.begin();
  const auto end = blob.values.end();
  if (blob.form == Form::kDouble) {
    const std::vector<double> doubles(begin, end);
    writer.add_packed_double(8, doubles.begin(), doubles.end());
  } else if (blob.form == Form::kHalf) {
    std::string halves;  // of numbers that are whole, or have few digits
    for (const float value : blob.values) {
      uint32_t bits = 0;
      std::memcpy(&bits, &value, 4);
      const uint32_t half = value == 0 ? 0
                                       : ((bits >> 16U) & 0x8000U) |
                                             ((((bits >> 23U) & 0xFFU) - 112U) << 10U) |
                                             ((bits >> 13U) & 0x3FFU);
      halves += {static_cast<char>(half & 0xFFU), static_cast<char>(half >> 8U)};
    }
    writer.add_enum(10, 2);
    writer.add_bytes(12, halves);
  } else if (blob.form == Form::kUnpacked) {
    for (const float value : blob.values) writer.add_float(5, value);
  } else {
    writer.add_packed_float(5, begin, end);
  }
  return out;
}

// A .caffemodel; with `old`, of `layers` whose type is 4 (CONVOLUTION) whatever it is.
inline std::string caffemodel(const std::vector<Trained>& layers, bool old = false) {
  std::string out;
  protozero::pbf_writer writer(out);
  writer.add_string(1, "trained");
  for (const Trained& layer : layers) {
    std::string message;
    protozero::pbf_writer fields(message);
    fields.add_string(old ? 4 : 1, layer.name);
    if (old) {
      fields.add_enum(5, 4);
    } else {
      fields.add_string(2, "Type");
    }
    for (const Blob& blob : layer.blobs) fields.add_message(old ? 6 : 7, blob_message(blob));
    writer.add_message(old ? 2 : 100, message);
  }
  return out;
}

inline std::string input_layer(const std::string& name, const std::vector<int64_t>& shape) {
  std::string out =
      "layer { name: \"" + name + "\" type: \"Input\" top: \"" + name + "\" input_param { shape {";
  for (const int64_t size : shape) out += " dim: " + std::to_string(size);
  return out + " } } }\n";
}

// One layer with the bottom "data" of this shape and the top "out"; its name is "op".
inline std::string net_of(const std::vector<int64_t>& shape, const std::string& type,
                          const std::string& params = "") {
  return input_layer("data", shape) + "layer { name: \"op\" type: \"" + type +
         "\" bottom: \"data\" top: \"out\" " + params + " }\n";
}

inline base::Result<tensor::ImportedModel> import_net(const std::string& text,
                                                      const std::vector<Trained>& weights = {},
                                                      const tensor::Options& options = {}) {
  auto model = std::make_shared<const std::string>(caffemodel(weights));
  std::optional<Content> content;
  if (!weights.empty()) content = Content{"net.caffemodel", *model, model};
  return import_content({"net.prototxt", text, nullptr}, content, options);
}

using Results = std::map<std::string, tensor::Tensor>;

inline base::Result<Results> run_net(const std::string& text, const std::vector<Trained>& weights,
                                     std::vector<tensor::Tensor> inputs,
                                     const tensor::Options& options = {}) {
  SN_ASSIGN(const tensor::ImportedModel model, import_net(text, weights, options));
  SN_ASSIGN(auto outputs, test::run_artefact(model.artefact, std::move(inputs)));
  Results results;
  for (tensor::Tensor& output : outputs) results[output.name] = std::move(output);
  return results;
}

inline std::string refusal(const std::string& text, const std::vector<Trained>& weights = {},
                           const tensor::Options& options = {}) {
  const auto model = import_net(text, weights, options);
  return model.ok() ? "imported" : std::string(base::message(model.status()));
}

// The output's numbers, or a failure of the test.
inline Floats numbers(const base::Result<Results>& results, const std::string& name = "out") {
  EXPECT_TRUE(results.ok()) << results.status();
  if (!results.ok()) return {};
  const auto at = results->find(name);
  EXPECT_NE(at, results->end()) << name;
  return at != results->end() ? test::values_of<float>(at->second) : Floats{};
}

inline std::vector<int64_t> shape_of(const base::Result<Results>& results,
                                     const std::string& name = "out") {
  if (!results.ok() || !results->contains(name)) return {-1};
  const auto& shape = results->at(name).shape;
  return {shape.begin(), shape.end()};
}

inline void expect_near(const Floats& got, const Floats& expected, float tolerance = 1e-4F) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(got[i])) continue;
    ASSERT_NEAR(got[i], expected[i], tolerance + tolerance * std::fabs(expected[i])) << "at " << i;
  }
}

// What `formula` makes of each number, through the one-layer net of `type`.
inline void expect_elementwise(const std::string& type, const std::string& params,
                               const std::function<float(float)>& formula,
                               const std::vector<Blob>& blobs = {}) {
  SCOPED_TRACE(type + " " + params);
  Floats x = some_floats(24, 7);
  for (float& value : x) value *= 4;
  Floats expected(x.size());
  std::transform(x.begin(), x.end(), expected.begin(), formula);
  std::vector<Trained> weights;
  if (!blobs.empty()) weights = {{"op", blobs}};
  expect_near(numbers(run_net(net_of({2, 3, 2, 2}, type, params), weights,
                              {float_tensor("data", {2, 3, 2, 2}, x)})),
              expected);
}

}  // namespace supernova::import::caffe::testing_
