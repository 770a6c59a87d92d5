// A named, typed view on a buffer. Layout: little-endian, row-major, no padding; BOOL one byte, 0
// or 1; BYTES for each element a uint32 length and that many bytes (tensor/bytes.h).
#pragma once

#include <string>
#include <vector>

#include "tensor/buffer.h"
#include "tensor/data_type.h"
#include "tensor/shape.h"

namespace supernova::tensor {

struct Tensor {
  std::string name;
  DataType data_type = DataType::kInvalid;
  Shape shape;  // all >= 0
  Buffer buffer;
};

// What a model declares of an input or an output.
struct TensorInfo {
  std::string name;
  DataType data_type = DataType::kInvalid;
  bool rank_known = true;
  Shape shape;                         // -1 = may vary
  std::vector<std::string> dim_names;  // a name per dimension, "" where it has none; may be empty
  bool optional = false;
  bool is_state = false;
  // What it is in the model where that is no tensor: "sequence(tensor(float))". Each element of the
  // BYTES tensor that stands for it is a whole tensor file, .npy or .json (docs/adr/0004). Known in
  // a ModelDescription only.
  std::string model_type;
};

}  // namespace supernova::tensor
