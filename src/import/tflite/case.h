// What the case files of the operators share: a model is written, imported and run.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "import/tflite/tflite_importer.h"
#include "support/run_import.h"
#include "support/tflite_builder.h"

namespace supernova::import::tflite {

using test::bytes_of;
using test::FlatTable;
using test::TfModel;
using test::TfTensor;
using test::TfType;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

inline base::Result<tensor::ImportedModel> imported(const std::string& content,
                                                    const tensor::Options& options = {}) {
  const auto kept = std::make_shared<std::string>(content);
  return import_content(*kept, kept, "model.tflite", options);
}

inline std::string refusal(const TfModel& model) {
  const auto result = imported(model.file());
  return result.ok() ? "imported" : std::string(base::message(result.status()));
}

// The first output for inputs named t0, t1, ... as the builder names tensors.
inline tensor::Tensor run(const TfModel& model, std::vector<tensor::Tensor> inputs,
                          size_t output = 0) {
  const auto result = imported(model.file());
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  auto outputs = test::run_artefact(result->artefact, std::move(inputs));
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok() || output >= outputs->size()) return {};
  return (*outputs)[output];
}

inline std::vector<float> run_floats(const TfModel& model, std::vector<tensor::Tensor> inputs,
                                     size_t output = 0) {
  return test::values_of<float>(run(model, std::move(inputs), output));
}

// What requests to a model with state=tensors give, one after the other: the first output of each.
// Every request has one input, t0; its states are what the one before left, or `start`.
inline std::vector<tensor::Tensor> run_stream(const TfModel& model,
                                              const std::vector<tensor::Tensor>& requests,
                                              std::vector<tensor::Tensor> start) {
  const auto result = imported(model.file(), {{"state", "tensors"}});
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  const auto& names = result->description.outputs;
  EXPECT_EQ(names.size(), start.size() + 1);
  std::vector<tensor::Tensor> out;
  for (const tensor::Tensor& request : requests) {
    std::vector<tensor::Tensor> inputs{request};
    inputs.insert(inputs.end(), start.begin(), start.end());
    auto outputs = test::run_artefact(result->artefact, std::move(inputs));
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    if (!outputs.ok() || outputs->size() != names.size()) return {};
    out.push_back((*outputs)[0]);
    for (size_t i = 0; i < start.size(); ++i) {
      EXPECT_EQ(names[i + 1].name, start[i].name + ".next");
      const std::string name = start[i].name;
      start[i] = (*outputs)[i + 1];
      start[i].name = name;
    }
  }
  return out;
}

inline auto near(const std::vector<float>& expected, float tolerance = 1e-5F) {
  return Pointwise(FloatNear(tolerance), expected);
}

// Numbers by name (sorted) as FlexBuffers; one number or a vector of them, floats of four bytes.
inline std::string flex(const std::vector<std::pair<std::string, std::vector<float>>>& sorted) {
  std::string out;
  std::vector<size_t> keys;
  std::vector<size_t> vectors;
  const auto put = [&](uint32_t value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  for (const auto& [key, _] : sorted) {
    keys.push_back(out.size());
    out += key + '\0';
  }
  while (out.size() % 4 != 0) out += '\0';
  for (const auto& [_, values] : sorted) {
    put(static_cast<uint32_t>(values.size()));
    vectors.push_back(out.size());
    out += bytes_of(values);
  }
  put(static_cast<uint32_t>(sorted.size()));
  const size_t key_vector = out.size();
  for (const size_t key : keys) put(static_cast<uint32_t>(out.size() - key));
  put(static_cast<uint32_t>(out.size() - key_vector));
  put(4);
  put(static_cast<uint32_t>(sorted.size()));
  const size_t map = out.size();
  std::string types;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const bool one = sorted[i].second.size() == 1;
    if (one) {
      out += bytes_of(sorted[i].second);
    } else {
      put(static_cast<uint32_t>(out.size() - vectors[i]));
    }
    // FLOAT or VECTOR_FLOAT, four bytes.
    types += static_cast<char>(((one ? 3U : 13U) << 2U) | 2U);
  }
  out += types;
  while ((out.size() - map) % 4 != 0) out += '\0';
  put(static_cast<uint32_t>(out.size() - map));
  out += static_cast<char>((9U << 2U) | 2U);  // MAP
  out += '\4';
  return out;
}

}  // namespace supernova::import::tflite
