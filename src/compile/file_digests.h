// SHA-256 of files, remembered for large ones by what the file system says of them, so that a start
// does not read gigabytes to find that nothing has changed. What has been written to in the last
// seconds is not remembered: its times may not show the next change. Thread-safe.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace supernova::compile {

// Two looks at a file that see the same saw the same content, unless the changes came faster than
// the file system's clock.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

base::Result<FileIdentity> identify(const std::string& path);
FileIdentity identity_of(const struct stat& info);
std::string to_text(const FileIdentity& identity);

struct DigestedFile {
  std::string path;
  FileIdentity identity;
  std::string digest;    // SHA-256, hexadecimal
  bool settled = false;  // the times were old enough to show the next change
};

class FileDigests {
 public:
  // `folder` holds what is remembered; "" = nothing is. `settling`: how old times must be.
  FileDigests(std::string folder, std::chrono::nanoseconds settling)
      : folder_(std::move(folder)), settling_(settling) {}

  base::Result<DigestedFile> digest(const std::string& path) const;
  // Of `path`, a file or every regular file in a folder and its folders, in order of their names.
  base::Result<std::vector<DigestedFile>> digest_all(const std::string& path) const;
  // What lies in a folder and its folders, by name and identity, without reading it: an error
  // where that is too much, or something changed too lately to tell.
  base::Result<std::string> list(const std::string& folder) const;
  // Whether these files are what they were; FAILED_PRECONDITION names the first that is not.
  base::Status check_unchanged(const std::vector<DigestedFile>& files) const;
  bool is_settled(const FileIdentity& identity) const { return is_settled(identity, now_ns()); }
  // Whether it had last changed some time before `at_ns`.
  bool is_settled(const FileIdentity& identity, int64_t at_ns) const;
  static int64_t now_ns();  // the clock of file systems

 private:
  std::string place_of(const std::string& path) const;
  std::string recall(const std::string& path, const FileIdentity& identity) const;
  void remember(const DigestedFile& file) const;

  const std::string folder_;
  const std::chrono::nanoseconds settling_;
};

}  // namespace supernova::compile
