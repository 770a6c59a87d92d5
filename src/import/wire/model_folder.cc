#include "import/wire/model_folder.h"

#include <algorithm>
#include <filesystem>

namespace supernova::import::wire {

namespace fs = std::filesystem;

std::vector<std::string> files_in(const std::string& folder,
                                  const std::function<bool(const std::string&)>& claims) {
  std::vector<std::string> found;
  std::error_code error;
  size_t seen = 0;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (++seen > kMostEntries) break;
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    if (claims(at->path().string())) found.push_back(at->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

base::Status several_models(const std::string& folder, const std::vector<std::string>& files,
                            std::string_view format, std::string_view preferred) {
  std::vector<std::string> names;
  for (const std::string& file : files) names.push_back(fs::path(file).filename());
  return absl::InvalidArgumentError(
      base::str_cat(folder, ": holds several ", format, " models (", base::str_join(names, ", "),
                    "); name the file you mean, or call it ", preferred));
}

}  // namespace supernova::import::wire
