// Label files of the classification extension: a label per line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::model {

inline constexpr size_t kMaxLabelBytes = size_t{16} << 20;

// Reads `file`, a path inside `folder` (not absolute, without ".."). INVALID_ARGUMENT when it
// leaves the folder, can't be read, is no regular file or is larger than kMaxLabelBytes.
base::Result<std::vector<std::string>> read_labels(const std::string& folder,
                                                   const std::string& file);

}  // namespace supernova::model
