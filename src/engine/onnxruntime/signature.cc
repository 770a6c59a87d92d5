// Model::open_signature and what runs a model for its own sake.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "engine/onnxruntime/model.h"
#include "engine/onnxruntime/signature_only.h"
#include "engine/onnxruntime/values.h"

namespace supernova::engine::onnxruntime {
namespace {

// A file's bytes for a moment; empty when it can't be read.
class MappedFile {
 public:
  explicit MappedFile(const char* path) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (file >= 0 && ::fstat(file, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
      size_ = static_cast<size_t>(info.st_size);
      data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    }
    if (file >= 0) ::close(file);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  std::string_view content() const {
    return data_ == MAP_FAILED ? std::string_view()
                               : std::string_view(static_cast<const char*>(data_), size_);
  }

 private:
  void* data_ = MAP_FAILED;
  size_t size_ = 0;
};

SignatureOnly stand_in(const sn_artefact& artefact) {
  if (artefact.data != nullptr) {
    return signature_only({static_cast<const char*>(artefact.data), artefact.data_size});
  }
  return artefact.path != nullptr ? signature_only(MappedFile(artefact.path).content())
                                  : SignatureOnly();
}

bool has(const std::vector<std::string>& names, const ValueInfo& value) {
  return std::find(names.begin(), names.end(), value.name) != names.end();
}

}  // namespace

base::Result<std::unique_ptr<Model>> Model::open_signature(const Runtime& runtime,
                                                           const sn_artefact& artefact) {
  const SignatureOnly declared = stand_in(artefact);
  sn_artefact shown = artefact;
  if (!declared.model.empty()) {
    shown.format = kFormat;
    shown.path = nullptr;
    shown.data = declared.model.data();
    shown.data_size = declared.model.size();
  }
  static const Options kCheapest = {{"graph_optimization_level", "none"},
                                    {"session.disable_prepacking", "1"}};
  auto opened = open(runtime, shown, kCheapest);
  // Where the outputs' types are not declared, or can't be those of inputs too, the runtime has to
  // look at the whole.
  if (!opened.ok()) opened = open(runtime, artefact, kCheapest);
  if (!opened.ok()) return opened.status();
  std::unique_ptr<Model> model = *std::move(opened);
  std::erase_if(model->inputs_, [&](const ValueInfo& input) { return has(declared.added, input); });
  for (ValueInfo& input : model->inputs_) {
    input.optional = input.optional || has(declared.optional, input);
  }
  // As the runtime has them: those with a default come last.
  std::stable_partition(model->inputs_.begin(), model->inputs_.end(),
                        [](const ValueInfo& input) { return !input.optional; });
  model->fill_info();
  model->drop_session();
  return model;
}

base::Status Model::run_on_zeros() {
  std::vector<std::string> zeros;
  std::vector<sn_tensor> inputs;
  std::vector<std::vector<int64_t>> shapes;
  shapes.reserve(inputs_.size());
  for (const ValueInfo& info : inputs_) {
    if (info.optional) continue;
    if (info.dtype == SN_BYTES || !info.rank_known) {
      return absl::UnimplementedError("no input can be made up");
    }
    size_t size = element_size(info.dtype);
    std::vector<int64_t>& shape = shapes.emplace_back(info.dims);
    for (int64_t& extent : shape) {
      if (extent < 0) extent = 1;
      if (__builtin_mul_overflow(size, extent, &size)) return absl::OutOfRangeError(info.name);
    }
    zeros.emplace_back(size, '\0');
    sn_tensor& tensor = inputs.emplace_back();
    tensor.size = sizeof(tensor);
    tensor.name = info.name.c_str();
    tensor.dtype = info.dtype;
    tensor.rank = static_cast<int32_t>(shape.size());
    tensor.dims = shape.data();
    tensor.buffer.size = sizeof(tensor.buffer);
    tensor.buffer.byte_size = size;
  }
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i].buffer.data = zeros[i].data();
  std::vector<sn_tensor> outputs(outputs_.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].size = sizeof(sn_tensor);
    outputs[i].name = outputs_[i].name.c_str();
    outputs[i].buffer.size = sizeof(sn_buffer);
  }
  sn_run request{};
  request.size = sizeof(request);
  request.inputs = inputs.data();
  request.input_count = inputs.size();
  request.outputs = outputs.data();
  request.output_count = outputs.size();
  request.on_response = [](void*, const sn_response* response) {
    for (size_t i = 0; i < response->output_count; ++i) {
      const sn_buffer& buffer = response->outputs[i].buffer;
      if (buffer.release != nullptr) buffer.release(buffer.owner);
    }
  };
  return run(request);
}

}  // namespace supernova::engine::onnxruntime
