// Ready-made tiny models, each the content of an .onnx file.
#pragma once

#include <string>

#include "support/onnx_builder.h"

namespace supernova::test {

// INPUT0 -> Identity -> OUTPUT0.
std::string identity_model(tensor::DataType type, const Dims& dims);
// x -> Identity -> y, of any type that Identity takes: sequences and optional values too.
std::string identity_model(const ValueType& type);
// OUTPUT0 = INPUT0 + INPUT1, OUTPUT1 = INPUT0 - INPUT1; FP32.
std::string add_sub_model(const Dims& dims);
// input [batch,16] -> 32 -> relu -> output [batch,4], weights from a fixed rule.
std::string mlp_model();
// TEXT [n] BYTES -> UPPER [n] BYTES, upper-cased.
std::string upper_case_model();
// input FP32 [n] -> output INT64 [1,m]: indices of what is not zero.
std::string nonzero_model();
// condition BOOL [], x FP32 [n] -> y = condition ? x + x : x * x (sub-graphs that read x from
// outside).
std::string if_model();
// count INT64 [], x FP32 [n] -> y = x doubled `count` times.
std::string loop_model();
// y = x + w, where w FP32 [2] is an input with a default of {10, 20}.
std::string optional_input_model();
// Declares y as FP32 [1,2] but computes the shape of x, FP32 [a,b].
std::string wrong_output_shape_model();
// x FP32 [2]; y = x + w, where w lies in the file `file` beside the model.
std::string external_data_model(const std::string& file);

}  // namespace supernova::test
