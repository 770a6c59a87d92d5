#include "model/config_labels.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace supernova::model {
namespace {

base::Status refused(const std::string& file, std::string_view why) {
  return absl::InvalidArgumentError(base::str_cat("label_filename '", file, "' ", why));
}

bool stays_inside(const std::filesystem::path& path) {
  return path.is_relative() &&
         std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
}

std::string system_error(int number) { return std::generic_category().message(number); }

base::Result<std::string> read_all(int descriptor, const std::string& file) {
  struct stat about {};
  if (fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
    return refused(file, "is not a regular file");
  }
  std::string text;
  char block[1 << 16];
  while (true) {
    const ssize_t count = ::read(descriptor, block, sizeof(block));
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return refused(file, "can't be read: " + system_error(errno));
    text.append(block, static_cast<size_t>(count));
    if (text.size() > kMaxLabelBytes) {
      return refused(file, base::str_cat("is larger than ", kMaxLabelBytes, " bytes"));
    }
  }
}

}  // namespace

base::Result<std::vector<std::string>> read_labels(const std::string& folder,
                                                   const std::string& file) {
  if (folder.empty()) return refused(file, "can't be read: the model has no folder of its own");
  if (file.find('\0') != std::string::npos || !stays_inside(file)) {
    return refused(file, "leaves the model's folder; write a path inside it");
  }
  const std::string path = (std::filesystem::path(folder) / file).string();
  // Not to wait for the writer of a pipe.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return refused(file, base::str_cat("can't be opened in '", folder, "': ", system_error(errno)));
  }
  const auto text = read_all(descriptor, file);
  ::close(descriptor);
  if (!text.ok()) return text.status();
  std::vector<std::string> labels;
  for (std::string_view rest = *text; !rest.empty();) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    labels.emplace_back(line);
  }
  return labels;
}

}  // namespace supernova::model
