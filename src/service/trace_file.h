// Trace files: JSON arrays that grow by an entry at a time and are complete, readable JSON after
// every one. With a log frequency N each file holds N traces and is called PATH.0, PATH.1, ...;
// with 0 all go to PATH. Files of an earlier run are overwritten. Not thread-safe.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::service {

class TraceFiles {
 public:
  // `entries`: JSON objects of one trace. `last`: the file is finished with this trace, as one of
  // those with a number.
  base::Status add(const std::string& path, int64_t log_frequency, bool last,
                   std::string_view entries);
  // Brings what was added to the disk's cache.
  void flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Array {
    std::unique_ptr<std::FILE, Close> file;
    std::string path;
    int64_t traces = 0;
  };
  struct Series {
    Array whole;     // PATH
    Array numbered;  // PATH.next
    uint64_t next = 0;
  };
  static base::Status open(Array& array, const std::string& path);
  static base::Status append(Array& array, std::string_view entries);

  std::map<std::string, Series> series_;
};

}  // namespace supernova::service
