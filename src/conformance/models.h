// The models of the cases about behaviour, which are not about one operator. All take x and give y.
#pragma once

#include "base/status.h"
#include "tensor/artefact.h"

namespace supernova::conformance {

// FP32 [n,64] -> 128 -> relu -> [n,10], softmax.
base::Result<tensor::Artefact> mlp();
// FP32 [n,3,32,32]: convolutions with stride, depthwise ones, residual sum, pooling -> [n,10]. The
// inside computes in FP16 where `half`; the interface stays FP32.
base::Result<tensor::Artefact> conv_net(bool half);
// FP32 [n] -> INT64 [1,m]: where it is not zero.
base::Result<tensor::Artefact> non_zero();
// BYTES [n] -> BYTES [n].
base::Result<tensor::Artefact> strings();
// FP32 [4] -> [4] with `byte_size` of weights.
base::Result<tensor::Artefact> heavy(size_t byte_size);
// FP32 [n,8]: a sum of everything that the device may lack an operator for, NonZero's count, is
// added to 2x: most devices compute only part of it.
base::Result<tensor::Artefact> mixed();

}  // namespace supernova::conformance
