// Folders in which a model is looked for.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::import::wire {

// How many entries of a folder are looked at: a huge one is no model's.
inline constexpr size_t kMostEntries = 10000;

// The regular files directly in `folder` that `claims`, sorted; among its first kMostEntries
// entries.
std::vector<std::string> files_in(const std::string& folder,
                                  const std::function<bool(const std::string&)>& claims);

// Why a folder with several models is none: "…: holds several ONNX models (a.onnx, b.onnx); name
// the file you mean, or call it model.onnx".
base::Status several_models(const std::string& folder, const std::vector<std::string>& files,
                            std::string_view format, std::string_view preferred);

}  // namespace supernova::import::wire
