// The models of the suite, once for each format that engines take. An engine that takes none of
// these formats has no suite.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "conformance/array.h"
#include "conformance/operator_cases.h"
#include "tensor/artefact.h"

namespace supernova::conformance {

// Models that are not about one operator. All take x and give y; equal ones of two formats have
// equal weights. UNIMPLEMENTED where a format can't say such a thing.
class ModelKit {
 public:
  using Made = base::Result<tensor::Artefact>;
  virtual ~ModelKit() = default;

  virtual std::string_view format() const = 0;
  virtual std::vector<OperatorCase> operators() const = 0;
  // The same few operators over every datatype.
  virtual std::vector<OperatorCase> data_types() const = 0;

  // FP32 [n,64] -> 128 -> relu -> [n,10], softmax.
  virtual Made mlp() const = 0;
  // FP32 [n,3,32,32]: convolutions with stride, depthwise ones, residual sum, pooling -> [n,10].
  // The inside computes in FP16 where `half`; the interface stays FP32.
  virtual Made conv_net(bool half) const = 0;
  // FP32 [n] -> INT64 [1,m]: where it is not zero.
  virtual Made non_zero() const = 0;
  // BYTES [n] -> BYTES [n].
  virtual Made strings() const = 0;
  // FP32 [4] -> [4] with `byte_size` of weights.
  virtual Made heavy(size_t byte_size) const = 0;
  // FP32 [n,8]: 2x + the number of elements that are not zero. Most accelerators lack an operator
  // of it.
  virtual Made mixed() const = 0;
  // FP32 [1,kLoopWidth]: a loop of x[0] turns, each of which takes 1 off the first element and
  // moves the others on by one place. Its end depends on the data: nothing can be worked out
  // beforehand.
  virtual Made loop() const = 0;
};

inline constexpr int64_t kLoopWidth = 64;
// Turns of that loop that numbers of FP32 can count.
inline constexpr int64_t kMostTurns = int64_t{1} << 24;
// [kLoopWidth,kLoopWidth], by which a row is moved on from the right.
Array loop_weights();
// One of so many turns.
Array loop_input(int64_t turns);
// What the loop makes of x.
Array loop_result(const Array& x);

const ModelKit& onnx_kit();
const ModelKit& tflite_kit();

}  // namespace supernova::conformance
