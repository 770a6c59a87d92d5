#include "model/uploaded_files.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "model/warm_up_samples.h"

namespace supernova::model {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPath = 1024;
constexpr int kMaxParts = 16;

}  // namespace

base::Result<std::shared_ptr<const TemporaryFolder>> TemporaryFolder::make() {
  std::error_code error;
  const fs::path base = fs::temp_directory_path(error);
  std::string path = (error ? fs::path("/tmp") : base) / "supernova-model-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {  // readable by this user only
    return absl::UnavailableError(
        base::str_cat("no temporary folder '", path, "' can be made: ", std::strerror(errno)));
  }
  return std::shared_ptr<const TemporaryFolder>(new TemporaryFolder(std::move(path)));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

base::Status check_uploaded_path(const std::string& path) {
  const auto refuse = [&](const char* why) {
    return absl::InvalidArgumentError(base::str_cat("file '", path.substr(0, kMaxPath), "': ", why,
                                                    "; give it as VERSION/NAME or warmup/NAME"));
  };
  if (path.size() > kMaxPath) return refuse("the name is too long");
  if (path.find('\0') != std::string::npos) return refuse("the name holds a zero byte");
  int parts = 0;
  for (size_t start = 0; start <= path.size(); ++parts) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") {
      return refuse("it must lie inside the model's folder");
    }
    int64_t version = 0;
    if (parts == 0 && part != kWarmUpFolder && !base::parse_whole(part, version)) {
      return refuse("it must lie in a version's folder or in 'warmup'");
    }
    start = end + 1;
  }
  if (parts < 2) return refuse("it must lie in a version's folder");
  if (parts > kMaxParts) return refuse("it lies too deep");
  return {};
}

base::Result<std::shared_ptr<const TemporaryFolder>> store_uploaded_files(
    const std::vector<UploadedFile>& files) {
  std::set<std::string> names;
  for (const UploadedFile& file : files) {
    SN_TRY(check_uploaded_path(file.path));
    if (!names.insert(file.path).second) {
      return absl::InvalidArgumentError(base::str_cat("file '", file.path, "' is given twice"));
    }
  }
  SN_ASSIGN(auto folder, TemporaryFolder::make());
  for (const UploadedFile& file : files) {
    const fs::path path = fs::path(folder->path()) / file.path;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    std::ofstream stream(path, std::ios::binary | std::ios::trunc);
    const std::string_view content = file.content.view();
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
    if (error || !stream.flush()) {
      return absl::ResourceExhaustedError(base::str_cat(
          "file '", file.path, "' can't be written to '", folder->path(), "' (TMPDIR)"));
    }
  }
  return folder;
}

}  // namespace supernova::model
