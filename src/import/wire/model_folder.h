// Folders in which a model is looked for.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::import::wire {

// The regular files directly in `folder` that `claims`, sorted; of a huge folder only the first
// `most` entries are looked at.
std::vector<std::string> files_in(const std::string& folder, size_t most,
                                  const std::function<bool(const std::string&)>& claims);

// Why a folder with several models is none: "…: holds several ONNX models (a.onnx, b.onnx); name
// the file you mean, or call it model.onnx".
base::Status several_models(const std::string& folder, const std::vector<std::string>& files,
                            std::string_view format, std::string_view preferred);

}  // namespace supernova::import::wire
