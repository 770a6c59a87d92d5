// Model::compile: an optimised model in the runtime's own format. The runtime writes it to a path,
// so it gets that of a file in memory.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/onnxruntime/align_weights.h"
#include "engine/onnxruntime/model.h"

namespace supernova::engine::onnxruntime {
namespace {

class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("model.ort", MFD_CLOEXEC)) {}
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() {
    if (data_ != nullptr) ::munmap(data_, size_);
    if (file_ >= 0) ::close(file_);
  }

  std::string path() const { return base::str_cat("/proc/self/fd/", file_); }
  // After it was written.
  base::Status map() {
    struct stat info {};
    if (file_ < 0 || ::fstat(file_, &info) != 0 || info.st_size == 0) {
      return absl::UnimplementedError("the runtime wrote nothing");
    }
    size_ = static_cast<size_t>(info.st_size);
    void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_, 0);
    if (map == MAP_FAILED) return absl::ResourceExhaustedError(std::strerror(errno));
    data_ = map;
    return {};
  }
  std::string_view content() const { return {static_cast<const char*>(data_), size_}; }

 private:
  int file_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

base::Status cannot_write(const base::Status& why) {
  return absl::UnimplementedError(
      base::str_cat("the runtime can't save it in its own format: ", why.message()));
}

}  // namespace

base::Status Model::compile(const Runtime& runtime, const sn_artefact& artefact,
                            const Options& options, const sn_sink& sink) {
  MemoryFile file;
  SN_ASSIGN(const SessionOptionsPtr saving, session_options(artefact, options));
  SN_ORT_TRY(api().AddSessionConfigEntry(saving.get(), "session.save_model_format", "ORT"));
  SN_ORT_TRY(api().SetOptimizedModelFilePath(saving.get(), file.path().c_str()));
  const auto original = open(runtime, artefact, *saving);
  if (!original.ok()) {
    // Is it the model, or only that it can't be saved?
    SN_ASSIGN(const auto unsaved, open(runtime, artefact, options));
    return cannot_write(original.status());
  }
  SN_TRY(file.map());
  const std::string aligned = align_weights(file.content());
  sn_artefact prepared{};
  prepared.size = sizeof(prepared);
  prepared.format = kPreparedFormat;
  prepared.data = aligned.data();
  prepared.data_size = aligned.size();
  const auto reopened = open(runtime, prepared, options);
  if (!reopened.ok()) return cannot_write(reopened.status());
  if (!(*reopened)->same_signature(**original)) {
    return cannot_write(absl::InternalError("its inputs and outputs are not the same afterwards"));
  }
  const int32_t code = sink.write(sink.ctx, "model.ort", aligned.data(), aligned.size());
  if (code == SN_OK) return {};
  return base::Status(static_cast<absl::StatusCode>(code), "what was made can't be stored");
}

}  // namespace supernova::engine::onnxruntime
