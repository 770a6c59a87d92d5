// A BYTES tensor whose elements are whole tensor files (docs/adr/0004: what in the model is a
// sequence, an optional value or a map) as a folder on disk: a level of folders for each dimension,
// files 0.npy or 0.json, 1.npy, ... in the innermost.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::apps {

// `paths` is one such folder, with as many levels as `declared` has dimensions, or the tensor files
// themselves, which fill the last dimension. Refuses gaps in the numbers and files that are not
// numbered; names that start with a dot are left alone.
base::Result<tensor::Tensor> read_tensor_files(const std::vector<std::string>& paths,
                                               const tensor::Shape& declared);
// Numbered files and folders of an earlier run go; nothing else is removed.
base::Status write_tensor_folder(const tensor::Tensor& tensor, const std::string& path);

}  // namespace supernova::apps
