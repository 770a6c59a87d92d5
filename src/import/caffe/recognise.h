// Which files make a Caffe model: the net's text (.prototxt) and its weights (.caffemodel), known
// by their content and found by each other's name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/artefact.h"

namespace supernova::import::caffe {

// The net or the weights that `path` (a file or a folder) means; `path` itself for a folder with
// several nets of which none stands out; "" when it is nothing of Caffe's.
std::string find_model(const std::string& path);

struct ModelFiles {
  std::string net;
  std::string weights;  // "" = there are none
};
// Both files of the model that `file` (as find_model returned it) belongs to. Options `prototxt`
// and `weights` name them, relative to the folder. Refuses, with what is missing: weights without a
// net, and a choice that can't be made. A net without weights is left to the conversion.
base::Result<ModelFiles> find_files(const std::string& file, const tensor::Options& options);

}  // namespace supernova::import::caffe
