// The inputs of `infer` and `bench`: read from files, or made up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/artefact.h"
#include "tensor/tensor.h"

namespace supernova::apps {

enum class Fill { kZeros, kRandom };

// Whether an input or output is no tensor in the model: its BYTES are whole tensor files.
bool is_wrapped(std::string_view name, const std::vector<tensor::TensorInfo>& described);

// From `--input` arguments, [NAME=]FILE each. `described` are the importer's inputs, which say what
// is no tensor; `options` how pictures become tensors.
base::Result<std::vector<tensor::Tensor>> read_inputs(
    const std::vector<std::string>& arguments, const std::vector<tensor::TensorInfo>& inputs,
    const std::vector<tensor::TensorInfo>& described, const tensor::Options& options);

// Of the declared shapes, 1 where a size may vary; optional inputs are left out.
base::Result<std::vector<tensor::Tensor>> make_inputs(
    const std::vector<tensor::TensorInfo>& inputs, const std::vector<tensor::TensorInfo>& described,
    Fill fill);

}  // namespace supernova::apps
