#include "telemetry/exporters.h"

#include <dlfcn.h>

#include <filesystem>

namespace supernova::telemetry {
namespace {

std::string library_of(const std::string& name) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / "../lib/supernova/exporters" / (name + ".so")).string();
}

class WriterSink : public SpanSink {
 public:
  explicit WriterSink(std::unique_ptr<SpanWriter> writer) : writer_(std::move(writer)) {}
  base::Status write(const std::vector<Span>& spans) override {
    const std::string reason = writer_->write(spans);
    return reason.empty() ? base::Status() : absl::UnavailableError(reason);
  }

 private:
  const std::unique_ptr<SpanWriter> writer_;
};

}  // namespace

base::Result<std::unique_ptr<SpanSink>> open_exporter(const std::string& name,
                                                      const ExporterOptions& options) {
  const std::string path = library_of(name);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::UnimplementedError(
        base::str_cat("this program was built without the exporter '", name,
                      "' (it needs opentelemetry-cpp); trace into a file instead: "
                      "--trace-config triton,file=PATH"));
  }
  // Stays for good: the libraries behind it have threads that don't survive being unloaded.
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const symbol = library == nullptr ? nullptr : dlsym(library, kMakeExporter);
  if (symbol == nullptr) {
    const char* const reason = dlerror();
    return absl::FailedPreconditionError(base::str_cat(
        "the exporter '", name, "' can't be loaded: ", reason != nullptr ? reason : path));
  }
  std::string failure;
  std::unique_ptr<SpanWriter> writer(reinterpret_cast<MakeExporter>(symbol)(options, failure));
  if (writer == nullptr) return absl::InternalError(failure);
  return std::make_unique<WriterSink>(std::move(writer));
}

}  // namespace supernova::telemetry
