#include "import/graph/write_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "import/graph/builder.h"
#include "import/onnx/move_external_data.h"
#include "import/onnx/summary.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;
using testing::HasSubstr;

std::vector<float> counted(int64_t count, float from) {
  std::vector<float> out(static_cast<size_t>(count));
  std::iota(out.begin(), out.end(), from);
  return out;
}

// x * [2000 numbers] * (a [300000] transposed) + a scalar: weights in place, made when they are
// written, and too small to lie apart.
void make(Model& model) {
  Builder b(model);
  b.enter("MUL", "scale");
  Value* x = b.input("x", Type::of(DataType::kFp32, {Dim(1)}));
  const Constant small = Constant::floats({2000}, counted(2000, 1));
  const Constant large = Constant::rearranged(Constant::floats({1000, 300}, counted(300000, 2)),
                                              {300, 1000}, {1, 300}, 0);
  ASSERT_TRUE(large.is_deferred());
  b.output(b.mul(x, b.constant(small, "small")), "y");
  b.output(b.mul(x, b.constant(large, "large")), "z");
  b.output(b.mul(x, b.constant(Constant::floats({1}, {3}), "tiny")), "t");
}

std::string content_of(const tensor::Weights& weights) {
  std::string out(tensor::kWeightsBase, '\0');  // as a file has it
  if (weights.byte_size == 0) return out;
  EXPECT_TRUE(weights
                  .write([&](std::span<const std::byte> piece) -> base::Status {
                    out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                    return {};
                  })
                  .ok());
  return out;
}

template <typename T>
std::vector<T> numbers(std::string_view bytes) {
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

TEST(WriteOnnx, WeightsMayLieApart) {
  tensor::ImportedModel written;
  {
    Model model;
    make(model);
    auto made = finish_import(model, {}, {{kExternalDataFrom, "100000"}});
    ASSERT_TRUE(made.ok()) << made.status();
    written = *std::move(made);
  }  // the weights outlive the model
  EXPECT_LT(written.artefact.bytes.size(), 2000U);
  const std::string file = content_of(written.weights);
  EXPECT_EQ(file.size(), tensor::kWeightsBase + written.weights.byte_size);
  const auto summary = onnx::summarise(written.artefact.bytes.view());
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_EQ(summary->external.size(), 2U);
  EXPECT_EQ(summary->initializers.size(), 3U);
  for (const onnx::ExternalTensor& tensor : summary->external) {
    EXPECT_EQ(tensor.location, tensor::kWeightsPlace);
    ASSERT_TRUE(tensor.length);
    ASSERT_LE(tensor.offset + *tensor.length, file.size());
    const auto found = numbers<float>(std::string_view(file).substr(tensor.offset, *tensor.length));
    const bool is_large = found.size() > 2000;
    EXPECT_EQ(tensor.offset % (is_large ? 65536 : 64), 0U);
    EXPECT_EQ(found.size(), is_large ? 300000U : 2000U);
    EXPECT_EQ(found[1], is_large ? 302.0F : 2.0F);
    EXPECT_EQ(found.back(), is_large ? 300001.0F : 2000.0F);
  }
}

TEST(WriteOnnx, SmallModelsAreOneFile) {
  Model model;
  make(model);
  const auto written = finish_import(model, {}, {{kExternalDataFrom, "2000000"}});
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->weights.byte_size, 0U);
  EXPECT_GT(written->artefact.bytes.size(), 1208000U);
  EXPECT_TRUE(onnx::summarise(written->artefact.bytes.view())->external.empty());
}

TEST(WriteOnnx, EqualModelsGiveEqualBytes) {
  const auto write = [](std::string& content) {
    Model model;
    make(model);
    auto written = finish_import(model, {}, {{kExternalDataFrom, "1"}});
    EXPECT_TRUE(written.ok()) << written.status();
    content = content_of(written->weights);
    return std::string(written->artefact.bytes.view());
  };
  std::string first;
  std::string second;
  EXPECT_EQ(write(first), write(second));
  EXPECT_EQ(first, second);
}

TEST(WriteOnnx, TheOptionIsANumber) {
  Model model;
  make(model);
  const auto written = finish_import(model, {}, {{kExternalDataFrom, "1MiB"}});
  EXPECT_THAT(std::string(base::message(written.status())),
              HasSubstr("option external_data_from is '1MiB'; it is a number of bytes"));
}

TEST(WriteOnnx, AFailureToStoreWeightsEndsIt) {
  Model model;
  make(model);
  const auto written = finish_import(model, {}, {{kExternalDataFrom, "1"}});
  ASSERT_TRUE(written.ok()) << written.status();
  int calls = 0;
  const base::Status status = written->weights.write([&](std::span<const std::byte>) {
    ++calls;
    return base::Status(absl::ResourceExhaustedError("full"));
  });
  EXPECT_EQ(status, absl::ResourceExhaustedError("full"));
  EXPECT_EQ(calls, 1);
}

TEST(MoveExternalData, ChangesNameAndOffsetOnly) {
  Model model;
  make(model);
  const auto written = finish_import(model, {}, {{kExternalDataFrom, "1"}});
  ASSERT_TRUE(written.ok()) << written.status();
  const std::string_view before = written->artefact.bytes.view();
  const auto moved = onnx::move_external_data(before, "net.onnx.data", tensor::kWeightsBase);
  ASSERT_TRUE(moved.ok()) << moved.status();
  const auto was = onnx::summarise(before);
  const auto is = onnx::summarise(*moved);
  ASSERT_TRUE(is.ok()) << is.status();
  ASSERT_EQ(is->external.size(), was->external.size());
  for (size_t i = 0; i < is->external.size(); ++i) {
    EXPECT_EQ(is->external[i].tensor, was->external[i].tensor);
    EXPECT_EQ(is->external[i].location, "net.onnx.data");
    EXPECT_EQ(is->external[i].offset, was->external[i].offset - tensor::kWeightsBase);
    EXPECT_EQ(is->external[i].length, was->external[i].length);
  }
  const auto back = onnx::move_external_data(*moved, tensor::kWeightsPlace, 0);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_LT(back->size(), before.size() + 1);
  EXPECT_FALSE(onnx::move_external_data(*moved, "x", uint64_t{1} << 40U).ok());
  EXPECT_FALSE(onnx::move_external_data(before.substr(0, before.size() / 2), "x", 0).ok());
}

}  // namespace
}  // namespace supernova::import::graph
