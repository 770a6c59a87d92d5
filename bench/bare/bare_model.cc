#include "bare/bare_model.h"

#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace supernova::bench {
namespace {

// The library lies where the server finds it, beside the programs.
base::Result<const OrtApi*> load_api() {
  // Before it is loaded: it would report usage otherwise.
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const char* chosen = std::getenv("SUPERNOVA_ONNXRUNTIME_LIBRARY");
  const std::string path = chosen != nullptr && *chosen != '\0'
                               ? std::string(chosen)
                               : (self.parent_path() / "../lib/libonnxruntime.so.1").string();
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::UnavailableError(dlerror());
  using GetBase = const OrtApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(dlsym(library, "OrtGetApiBase"));
  const OrtApi* api = get_base == nullptr ? nullptr : get_base()->GetApi(ORT_API_VERSION);
  if (api == nullptr) return absl::UnavailableError(base::str_cat(path, " is of another version"));
  return api;
}

}  // namespace

// Everything lives until the process ends, but the session and its values.
struct BareModel::Impl {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
  OrtSession* session = nullptr;
  OrtMemoryInfo* memory = nullptr;
  tensor::Tensor input;
  std::vector<tensor::Tensor> outputs;
  OrtValue* input_value = nullptr;
  std::vector<OrtValue*> output_values;
  const char* input_name = nullptr;
  std::vector<const char*> output_names;

  ~Impl() {
    if (api == nullptr) return;
    if (input_value != nullptr) api->ReleaseValue(input_value);
    for (OrtValue* value : output_values) api->ReleaseValue(value);
    if (session != nullptr) api->ReleaseSession(session);
    if (memory != nullptr) api->ReleaseMemoryInfo(memory);
    if (env != nullptr) api->ReleaseEnv(env);
  }

  base::Status check(OrtStatus* status) const {
    if (status == nullptr) return {};
    const base::Status result = absl::InternalError(api->GetErrorMessage(status));
    api->ReleaseStatus(status);
    return result;
  }

  base::Status add_provider(OrtSessionOptions* options, const std::string& provider) {
    if (provider == "webgpu") {
      return check(
          api->SessionOptionsAppendExecutionProvider(options, "WebGPU", nullptr, nullptr, 0));
    }
    OrtCUDAProviderOptionsV2* cuda = nullptr;
    SN_TRY(check(api->CreateCUDAProviderOptions(&cuda)));
    const base::Status status =
        check(api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda));
    api->ReleaseCUDAProviderOptions(cuda);
    return status;
  }

  base::Status open_session(const std::string& path, const std::string& provider) {
    SN_TRY(check(api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "bench", &env)));
    OrtSessionOptions* options = nullptr;
    SN_TRY(check(api->CreateSessionOptions(&options)));
    const std::unique_ptr<OrtSessionOptions, void (*)(OrtSessionOptions*)> owner(
        options, api->ReleaseSessionOptions);
    SN_TRY(check(api->SetIntraOpNumThreads(options, 1)));
    SN_TRY(check(api->SetInterOpNumThreads(options, 1)));
    if (!provider.empty()) SN_TRY(add_provider(options, provider));
    SN_TRY(check(api->CreateSession(env, path.c_str(), options, &session)));
    return check(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeCPU, &memory));
  }

  // Memory and a value for an input or output of this type.
  base::Status describe(OrtTypeInfo* type, tensor::Tensor& tensor, OrtValue** value) {
    const std::unique_ptr<OrtTypeInfo, void (*)(OrtTypeInfo*)> owner(type, api->ReleaseTypeInfo);
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    SN_TRY(check(api->CastTypeInfoToTensorInfo(type, &info)));
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    if (info != nullptr) SN_TRY(check(api->GetTensorElementType(info, &element)));
    if (element != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT &&
        element != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16) {
      return absl::InvalidArgumentError("only FP32 and FP16 tensors are supported");
    }
    size_t rank = 0;
    SN_TRY(check(api->GetDimensionsCount(info, &rank)));
    tensor.shape.resize(rank);
    SN_TRY(check(api->GetDimensions(info, tensor.shape.data(), rank)));
    for (int64_t& size : tensor.shape) size = size < 0 ? 1 : size;
    tensor.data_type = element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ? tensor::DataType::kFp32
                                                                      : tensor::DataType::kFp16;
    SN_ASSIGN(const size_t bytes, tensor::byte_size(tensor.data_type, tensor.shape));
    tensor.buffer = tensor::Buffer::allocate(bytes);
    std::memset(tensor.buffer.data(), 0, bytes);
    return check(api->CreateTensorWithDataAsOrtValue(memory, tensor.buffer.data(), bytes,
                                                     tensor.shape.data(), rank, element, value));
  }

  base::Status describe_all() {
    OrtAllocator* allocator = nullptr;
    SN_TRY(check(api->GetAllocatorWithDefaultOptions(&allocator)));
    size_t inputs = 0;
    size_t count = 0;
    SN_TRY(check(api->SessionGetInputCount(session, &inputs)));
    SN_TRY(check(api->SessionGetOutputCount(session, &count)));
    if (inputs != 1) return absl::InvalidArgumentError("one input is supported");
    char* name = nullptr;
    OrtTypeInfo* type = nullptr;
    SN_TRY(check(api->SessionGetInputName(session, 0, allocator, &name)));
    SN_TRY(check(api->SessionGetInputTypeInfo(session, 0, &type)));
    input_name = name;
    input.name = name;
    SN_TRY(describe(type, input, &input_value));
    outputs.resize(count);
    output_values.resize(count);
    for (size_t i = 0; i < count; ++i) {
      SN_TRY(check(api->SessionGetOutputName(session, i, allocator, &name)));
      SN_TRY(check(api->SessionGetOutputTypeInfo(session, i, &type)));
      output_names.push_back(name);
      outputs[i].name = name;
      SN_TRY(describe(type, outputs[i], &output_values[i]));
    }
    return {};
  }
};

BareModel::BareModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BareModel::BareModel(BareModel&& other) noexcept = default;
BareModel::~BareModel() = default;

base::Result<BareModel> BareModel::open(const std::string& path, const std::string& provider) {
  auto impl = std::make_unique<Impl>();
  SN_ASSIGN(impl->api, load_api());
  base::Status status = impl->open_session(path, provider);
  if (status.ok()) status = impl->describe_all();
  if (!status.ok()) return base::annotate(status, path);
  return BareModel(std::move(impl));
}

const tensor::Tensor& BareModel::input() const { return impl_->input; }
std::byte* BareModel::input_data() { return impl_->input.buffer.data(); }
const std::vector<tensor::Tensor>& BareModel::outputs() const { return impl_->outputs; }

base::Status BareModel::run() {
  return impl_->check(impl_->api->Run(impl_->session, nullptr, &impl_->input_name,
                                      &impl_->input_value, 1, impl_->output_names.data(),
                                      impl_->output_names.size(), impl_->output_values.data()));
}

}  // namespace supernova::bench
