#include "import/graph/deferred.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "import/graph/builder.h"
#include "import/graph/passes.h"
#include "import/graph/write_onnx.h"
#include "tensor/half.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

constexpr int64_t kRows = 200;
constexpr int64_t kColumns = 300;  // 60,000 numbers: enough to be made later

std::vector<float> counted(int64_t count) {
  std::vector<float> out(static_cast<size_t>(count));
  std::iota(out.begin(), out.end(), -1000.0F);
  return out;
}

Constant halves_of(const std::vector<float>& values, std::vector<int64_t> shape) {
  std::vector<uint16_t> bits;
  for (const float value : values) bits.push_back(tensor::float_to_half(value));
  return Constant::of(DataType::kFp16, std::move(shape), bits);
}

std::vector<float> transposed(const std::vector<float>& values) {
  std::vector<float> out;
  for (int64_t column = 0; column < kColumns; ++column) {
    for (int64_t row = 0; row < kRows; ++row) {
      out.push_back(values[static_cast<size_t>(row * kColumns + column)]);
    }
  }
  return out;
}

TEST(Deferred, LargeOnesAreMadeWhenTheyAreAskedFor) {
  const std::vector<float> values = counted(kRows * kColumns);
  const Constant made = Constant::rearranged(Constant::floats({kRows, kColumns}, values),
                                             {kColumns, kRows}, {1, kColumns}, 0);
  EXPECT_TRUE(made.is_deferred());
  EXPECT_EQ(made.byte_size(), values.size() * sizeof(float));
  EXPECT_EQ(made.values<float>(), transposed(values));
  const std::string copy = made.copy();
  EXPECT_EQ(copy, made.bytes());
  EXPECT_FALSE(
      Constant::rearranged(Constant::floats({2, 1}, {1, 2}), {1, 2}, {1, 1}, 0).is_deferred());
}

TEST(Deferred, StepsDoNotPileUp) {
  Constant at = Constant::floats({kRows, kColumns}, counted(kRows * kColumns));
  for (int i = 0; i < 200; ++i) {
    const int64_t rows = at.shape()[0];
    const int64_t columns = at.shape()[1];
    at = Constant::rearranged(at, {columns, rows}, {1, columns}, 0);
  }
  EXPECT_EQ(at.values<float>(), counted(kRows * kColumns));
}

TEST(Deferred, HalvesStayHalvesInAnyOrder) {
  const std::vector<float> values = counted(2000);
  std::vector<float> many;
  for (int64_t i = 0; i < kRows * kColumns / 2000; ++i) {
    many.insert(many.end(), values.begin(), values.end());
  }
  const Constant wide = halves_of(many, {kRows, kColumns}).widened();
  ASSERT_TRUE(wide.halves());
  EXPECT_EQ(wide.type(), DataType::kFp32);
  EXPECT_EQ(wide.values<float>(), many);
  const Constant moved = Constant::rearranged(wide, {kColumns, kRows}, {1, kColumns}, 0);
  ASSERT_TRUE(moved.halves());
  EXPECT_EQ(moved.halves()->shape(), (std::vector<int64_t>{kColumns, kRows}));
  EXPECT_EQ(moved.values<float>(), transposed(many));
  const Constant flat = moved.reshaped({kRows * kColumns});
  ASSERT_TRUE(flat.halves());
  EXPECT_EQ(flat.values<float>(), transposed(many));
}

TEST(Deferred, LargeHalvesAreWrittenAsTheyAreBehindACast) {
  Model model;
  Builder b(model);
  b.enter("MUL", "scale");
  Value* x = b.input("x", Type::of(DataType::kFp32, {Dim(kRows), Dim(kColumns)}));
  Value* large = b.cast(
      b.constant(halves_of(std::vector<float>(kRows * kColumns, 0.5F), {kRows, kColumns}), "w"),
      DataType::kFp32);
  Value* small = b.cast(b.constant(halves_of({2}, {1}), "s"), DataType::kFp32);
  b.output(b.mul(b.mul(x, large), small), "y");
  const auto written = finish_import(model, {});
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_LT(written->artefact.bytes.size(), kRows * kColumns * sizeof(uint16_t) + 1000);
  int casts = 0;
  for (const Node& node : model.graph.nodes) casts += node.op == "Cast" ? 1 : 0;
  EXPECT_EQ(casts, 1);
}

}  // namespace
}  // namespace supernova::import::graph
