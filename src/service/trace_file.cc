#include "service/trace_file.h"

#include <cerrno>
#include <cstring>

namespace supernova::service {
namespace {

constexpr std::string_view kEnd = "\n]\n";

base::Status failure(std::string_view what, const std::string& path) {
  return absl::UnavailableError(
      base::str_cat("the trace file ", path, " could not be ", what, ": ", std::strerror(errno)));
}

}  // namespace

base::Status TraceFiles::open(Array& array, const std::string& path) {
  array = {};
  array.file.reset(std::fopen(path.c_str(), "we"));
  if (array.file == nullptr) return failure("opened", path);
  array.path = path;
  return {};
}

base::Status TraceFiles::append(Array& array, std::string_view entries) {
  std::FILE* const file = array.file.get();
  std::string text = array.traces == 0 ? "[\n" : ",\n";
  text += entries;
  text += kEnd;
  // Over the end of the array, which is written anew.
  if ((array.traces > 0 && std::fseek(file, -static_cast<long>(kEnd.size()), SEEK_END) != 0) ||
      std::fwrite(text.data(), 1, text.size(), file) != text.size()) {
    return failure("written", array.path);
  }
  ++array.traces;
  return {};
}

base::Status TraceFiles::add(const std::string& path, int64_t log_frequency, bool last,
                             std::string_view entries) {
  Series& series = series_[path];
  const auto next_path = [&] { return base::str_cat(path, ".", series.next); };
  Array& array = log_frequency > 0 ? series.numbered : series.whole;
  if (array.file == nullptr) SN_TRY(open(array, log_frequency > 0 ? next_path() : path));
  SN_TRY(append(array, entries));
  if (log_frequency > 0) {
    if (array.traces < log_frequency && !last) return {};
    array = {};
    ++series.next;
    return {};
  }
  if (!last) return {};
  array = {};
  if (std::rename(path.c_str(), next_path().c_str()) != 0) return failure("renamed", path);
  ++series.next;
  return {};
}

void TraceFiles::flush() {
  for (auto& [path, series] : series_) {
    for (Array* array : {&series.whole, &series.numbered}) {
      if (array->file != nullptr) std::fflush(array->file.get());
    }
  }
}

}  // namespace supernova::service
