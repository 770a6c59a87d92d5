#include "provider.h"

#include <algorithm>
#include <cstring>

namespace plugin_ep {
namespace {

struct Tensor {
  const float* data = nullptr;
  std::vector<int64_t> dims;
};

std::vector<int64_t> dims_of(const OrtTensorTypeAndShapeInfo* info) {
  size_t rank = 0;
  if (api->GetDimensionsCount(info, &rank) != nullptr) return {};
  std::vector<int64_t> dims(rank);
  if (api->GetDimensions(info, dims.data(), rank) != nullptr) return {};
  return dims;
}

OrtStatus* read(OrtKernelContext* context, size_t index, Tensor& tensor) {
  const OrtValue* value = nullptr;
  if (OrtStatus* status = api->KernelContext_GetInput(context, index, &value)) return status;
  const void* data = nullptr;
  if (OrtStatus* status = api->GetTensorData(value, &data)) return status;
  tensor.data = static_cast<const float*>(data);
  OrtTensorTypeAndShapeInfo* info = nullptr;
  if (OrtStatus* status = api->GetTensorTypeAndShape(value, &info)) return status;
  tensor.dims = dims_of(info);
  api->ReleaseTensorTypeAndShapeInfo(info);
  return nullptr;
}

// Dimension `axis` from the end; those that a tensor lacks are 1.
int64_t from_end(const std::vector<int64_t>& dims, size_t axis) {
  return axis < dims.size() ? dims[dims.size() - 1 - axis] : 1;
}

// Where a broadcast tensor has what belongs to element `at` of the result.
size_t source(const Tensor& tensor, const std::vector<int64_t>& result, size_t at) {
  size_t offset = 0;
  size_t stride = 1;
  for (size_t axis = 0; axis < result.size(); ++axis) {
    const auto extent = static_cast<size_t>(from_end(result, axis));
    const auto mine = static_cast<size_t>(from_end(tensor.dims, axis));
    offset += mine == 1 ? 0 : (at % extent) * stride;
    at /= extent;
    stride *= mine;
  }
  return offset;
}

// One node that was taken.
class Computation : public OrtNodeComputeInfo {
 public:
  // `first` and `second` are the places of the operands among the inputs of the fused node, which
  // has each only once.
  Computation(Provider& provider, bool multiplies, size_t first, size_t second)
      : OrtNodeComputeInfo{},
        provider_(provider),
        multiplies_(multiplies),
        first_(first),
        second_(second) {
    ort_version_supported = ORT_API_VERSION;
    CreateState = [](OrtNodeComputeInfo* self, OrtNodeComputeContext*, void** state) noexcept {
      *state = self;
      return static_cast<OrtStatus*>(nullptr);
    };
    Compute = [](OrtNodeComputeInfo* self, void*, OrtKernelContext* context) noexcept {
      return static_cast<Computation*>(self)->compute(context);
    };
    ReleaseState = [](OrtNodeComputeInfo*, void*) noexcept {};
  }

 private:
  OrtStatus* compute(OrtKernelContext* context) const {
    Tensor a;
    Tensor b;
    if (OrtStatus* status = read(context, first_, a)) return status;
    if (OrtStatus* status = read(context, second_, b)) return status;
    const bool is_empty = std::find(a.dims.begin(), a.dims.end(), 0) != a.dims.end();
    if (const char* failure = provider_.use(is_empty ? 0 : a.data[0])) {
      return api->CreateStatus(ORT_EP_FAIL, failure);
    }
    std::vector<int64_t> dims(std::max(a.dims.size(), b.dims.size()));
    size_t count = 1;
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      const int64_t extent_a = from_end(a.dims, axis);
      const int64_t extent_b = from_end(b.dims, axis);
      if (extent_a != extent_b && extent_a != 1 && extent_b != 1) {
        return api->CreateStatus(ORT_INVALID_ARGUMENT, "the shapes can't be broadcast");
      }
      dims[dims.size() - 1 - axis] = extent_a == 1 ? extent_b : extent_a;
      count *= static_cast<size_t>(from_end(dims, axis));
    }
    OrtValue* value = nullptr;
    if (OrtStatus* status =
            api->KernelContext_GetOutput(context, 0, dims.data(), dims.size(), &value)) {
      return status;
    }
    void* data = nullptr;
    if (OrtStatus* status = api->GetTensorMutableData(value, &data)) return status;
    if (OrtStatus* status = check_memory(data, count * sizeof(float))) return status;
    for (size_t i = 0; i < count; ++i) {
      const float x = a.data[source(a, dims, i)];
      const float y = b.data[source(b, dims, i)];
      static_cast<float*>(data)[i] = multiplies_ ? x * y : x + y;
    }
    return nullptr;
  }

  Provider& provider_;
  bool multiplies_;
  size_t first_;
  size_t second_;
};

bool is_float(const OrtValueInfo* value) {
  const OrtTypeInfo* type = nullptr;
  if (api->GetValueInfoTypeInfo(value, &type) != nullptr) return false;
  const OrtTensorTypeAndShapeInfo* info = nullptr;
  if (api->CastTypeInfoToTensorInfo(type, &info) != nullptr || info == nullptr) return false;
  ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  return api->GetTensorElementType(info, &element) == nullptr &&
         element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

const char* operator_of(const OrtNode* node) {
  const char* type = "";
  return api->Node_GetOperatorType(node, &type) == nullptr ? type : "";
}

std::vector<std::string> inputs_of(const OrtNode* node) {
  size_t count = 0;
  if (api->Node_GetNumInputs(node, &count) != nullptr) return {};
  std::vector<const OrtValueInfo*> values(count);
  if (api->Node_GetInputs(node, values.data(), count) != nullptr) return {};
  std::vector<std::string> names;
  for (const OrtValueInfo* value : values) {
    const char* name = "";
    if (api->GetValueInfoName(value, &name) != nullptr) return {};
    names.emplace_back(name);
  }
  return names;
}

OrtStatus* nodes_of(const OrtGraph* graph, std::vector<const OrtNode*>& nodes) {
  size_t count = 0;
  if (OrtStatus* status = api->Graph_GetNumNodes(graph, &count)) return status;
  nodes.resize(count);
  return api->Graph_GetNodes(graph, nodes.data(), count);
}

}  // namespace

Provider::Provider(Settings settings, Presence& presence, const OrtMemoryInfo* memory)
    : OrtEp{}, settings_(std::move(settings)), presence_(presence), memory_(memory) {
  presence_.open();
  ort_version_supported = ORT_API_VERSION;
  GetName = &name;
  GetCapability = &capability;
  Compile = &compile;
  ReleaseNodeComputeInfos = &release;
  CreateAllocator = &allocator;
}

const char* Provider::use(float first) {
  const long used = used_++;
  if (settings_.lose_after >= 0 && used >= settings_.lose_after) presence_.lose();
  if (presence_.is_lost()) return "the test device is gone";
  if (settings_.break_after >= 0 && used >= settings_.break_after) return "the session is stale";
  return settings_.fail_on == first ? "the test kernel failed" : nullptr;
}

const char* Provider::name(const OrtEp*) noexcept { return kName; }

bool Provider::takes(const OrtNode* node) const {
  const char* type = operator_of(node);
  const bool is_mul = std::strcmp(type, "Mul") == 0;
  if ((!is_mul || !kTakesMul) && std::strcmp(type, "Add") != 0) return false;
  const OrtValueInfo* inputs[2] = {};
  size_t count = 0;
  const std::string left = "," + settings_.leave + ",";
  return left.find("," + std::string(type) + ",") == std::string::npos &&
         api->Node_GetNumInputs(node, &count) == nullptr && count == 2 &&
         api->Node_GetInputs(node, inputs, count) == nullptr && is_float(inputs[0]) &&
         is_float(inputs[1]);
}

OrtStatus* Provider::capability(OrtEp* self, const OrtGraph* graph,
                                OrtEpGraphSupportInfo* taken) noexcept {
  std::vector<const OrtNode*> nodes;
  if (OrtStatus* status = nodes_of(graph, nodes)) return status;
  for (const OrtNode* node : nodes) {
    if (!static_cast<Provider*>(self)->takes(node)) continue;
    if (OrtStatus* status = ep_api->EpGraphSupportInfo_AddNodesToFuse(taken, &node, 1, nullptr)) {
      return status;
    }
  }
  return nullptr;
}

OrtStatus* Provider::compile(OrtEp* self, const OrtGraph** graphs, const OrtNode** fused,
                             size_t count, OrtNodeComputeInfo** infos, OrtNode**) noexcept {
  for (size_t i = 0; i < count; ++i) {
    std::vector<const OrtNode*> nodes;
    if (OrtStatus* status = nodes_of(graphs[i], nodes)) return status;
    if (nodes.size() != 1) return api->CreateStatus(ORT_EP_FAIL, "one node was taken at a time");
    const std::vector<std::string> operands = inputs_of(nodes[0]);
    const std::vector<std::string> given = inputs_of(fused[i]);
    if (operands.size() != 2) return api->CreateStatus(ORT_EP_FAIL, "two operands are expected");
    const auto place = [&](const std::string& name) {
      return static_cast<size_t>(std::find(given.begin(), given.end(), name) - given.begin());
    };
    infos[i] = new Computation(*static_cast<Provider*>(self),
                               std::strcmp(operator_of(nodes[0]), "Mul") == 0, place(operands[0]),
                               place(operands[1]));
  }
  return nullptr;
}

void Provider::release(OrtEp*, OrtNodeComputeInfo** infos, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) delete static_cast<Computation*>(infos[i]);
}

OrtStatus* Provider::allocator(OrtEp* self, const OrtMemoryInfo*, OrtAllocator** out) noexcept {
  auto& provider = *static_cast<Provider*>(self);
  *out = new Memory(provider.memory_, provider.settings_.memory_limit);
  return nullptr;
}

}  // namespace plugin_ep
