// NumPy's .npy files, format versions 1 to 3; Fortran order and big-endian are converted. Facts:
// NumPy's format description. The .json form for strings is in tensor/json_tensor.h.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::tensor {

// The tensor's name is left empty. Numbers and `|b1` become the same type, `|S` and `<U` BYTES
// (UTF-8, without the padding at the end). Refused, with the remedy: object arrays, structured,
// complex and date types. The file's size is checked before memory is taken. `what` names the
// content in errors.
base::Result<Tensor> parse_npy(std::string_view content, std::string_view what);
// BF16 is written as uint16; BYTES can't be written (use the .json form).
base::Result<std::string> format_npy(const Tensor& tensor);

}  // namespace supernova::tensor
