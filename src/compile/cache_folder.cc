#include "compile/cache_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace supernova::compile {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::string default_cache_folder() {
  if (std::string own = variable("SUPERNOVA_CACHE_DIR"); !own.empty()) return own;
  const std::string common = variable("XDG_CACHE_HOME");
  // The specification has relative paths ignored.
  if (common.starts_with('/')) return common + "/supernova";
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/supernova";
}

base::Status prepare_cache_folder(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(folder).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return base::system_error("can't be made");
  }
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return base::system_error("can't be examined");
  if (!S_ISDIR(info.st_mode)) return absl::FailedPreconditionError("is not a folder");
  if ((info.st_mode & S_IWOTH) != 0) {
    return absl::FailedPreconditionError(
        "may be written to by everybody, and what lies in it is run; take that right away "
        "(chmod o-w) or name another folder");
  }
  return {};
}

}  // namespace supernova::compile
