#include "engine/onnxruntime/providers/try_device.h"

#include <absl/strings/match.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <protozero/pbf_writer.hpp>

#include "engine/onnxruntime/model.h"
#include "engine/onnxruntime/providers/failures.h"
#include "engine/onnxruntime/providers/placement.h"

namespace supernova::engine::onnxruntime {
namespace {

struct Turn {
  std::mutex mutex;
  std::atomic<uint64_t> begun{0};
  uint64_t ended = 0;  // the number of the last one, and what it told
  TrialVerdict verdict;
};

// Of a device as a provider drives it; stays for the process.
Turn& turn_of(const Provider& provider) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Turn>> turns;
  std::lock_guard lock(mutex);
  std::unique_ptr<Turn>& turn = turns[base::str_cat(provider.name, " ", provider.device)];
  if (turn == nullptr) turn = std::make_unique<Turn>();
  return *turn;
}

// TensorRT compiles for seconds; what CUDA can't run any more it can't either.
Provider quickest(Provider provider) {
  if (provider.kind == ProviderKind::kTensorRt) {
    provider.kind = ProviderKind::kCuda;
    provider.name = "CUDAExecutionProvider";
  }
  return provider;
}

// Those of the model, but for what is about its own files.
Options options_for(const Provider& provider, const Options& options) {
  Options chosen;
  for (const auto& [key, value] : options) {
    const bool is_own = absl::StartsWith(key, "session.") || absl::StartsWith(key, "ep.context");
    // Options for TensorRT mean nothing to CUDA.
    const bool is_other = provider.kind == ProviderKind::kTensorRt &&
                          (absl::StartsWith(key, kProviderPrefix) || absl::StartsWith(key, "ep."));
    if (!is_own && !is_other) chosen.emplace(key, value);
  }
  return chosen;
}

bool is_on_device(const Model& model, const Provider& provider) {
  const auto nodes = read_placement(model.session(), provider.name);
  if (!nodes.ok() || !say_fallback(*nodes, provider.name, true).empty()) return false;
  return !nodes->empty() || provider.kind == ProviderKind::kWebGpu;  // which names only the others
}

// A device that has no memory left is there. What is refused when something is opened comes with
// the code of a refusal, also where the device is gone. `unclear`: what that means.
TrialVerdict verdict_of(const base::Status& status, Trial unclear) {
  if (status.ok()) return {Trial::kWorks, ""};
  const std::string why(base::message(status));
  if (failure_of(status) == Failure::kLost ||
      (absl::IsFailedPrecondition(status) &&
       failure_of(absl::InternalError(why)) == Failure::kLost)) {
    return {Trial::kIsLost, why};
  }
  if (failure_of(status) == Failure::kUnclear) return {unclear, why};
  return {};
}

TrialVerdict perform(const Runtime& runtime, const Provider& given, const sn_device& device,
                     const Options& options) {
  const Provider provider = quickest(given);
  const Options chosen = options_for(given, options);
  const std::string bytes = trial_model();
  sn_artefact artefact{};
  artefact.size = sizeof(artefact);
  artefact.format = kFormat;
  artefact.data = bytes.data();
  artefact.data_size = bytes.size();
  const auto model =
      Model::open(runtime, artefact, chosen, 1, [&](OrtSessionOptions* session) -> base::Status {
        SN_TRY(add_provider(runtime, provider, device, chosen, session));
        return to_status(api().AddSessionConfigEntry(session, kRecordPlacement, "1"));
      });
  if (!model.ok()) return verdict_of(providers_own(model.status()), Trial::kCanNotOpen);
  if (!is_on_device(**model, provider)) return {};
  return verdict_of((*model)->run_on_zeros(), Trial::kIsLost);
}

}  // namespace

TrialVerdict try_device(const Runtime& runtime, const Provider& provider, const sn_device& device,
                        const Options& options) {
  Turn& turn = turn_of(provider);
  const uint64_t before = turn.begun;
  std::lock_guard lock(turn.mutex);
  if (turn.ended > before) return turn.verdict;  // it began after what failed here had
  const uint64_t mine = ++turn.begun;
  turn.verdict = perform(runtime, provider, device, options);
  turn.ended = mine;
  return turn.verdict;
}

// y = x + x, four numbers of FP32. Field numbers of the ONNX format.
std::string trial_model() {
  constexpr int kFloat = 1;
  const auto value = [](const char* name) {
    std::string dim;
    protozero::pbf_writer(dim).add_int64(1, 4);
    std::string shape;
    protozero::pbf_writer(shape).add_message(1, dim);
    std::string tensor;
    protozero::pbf_writer tensor_writer(tensor);
    tensor_writer.add_int32(1, kFloat);
    tensor_writer.add_message(2, shape);
    std::string type;
    protozero::pbf_writer(type).add_message(1, tensor);
    std::string info;
    protozero::pbf_writer info_writer(info);
    info_writer.add_string(1, name);
    info_writer.add_message(2, type);
    return info;
  };
  std::string node;
  protozero::pbf_writer node_writer(node);
  for (int i = 0; i < 2; ++i) node_writer.add_string(1, "x");
  node_writer.add_string(2, "y");
  node_writer.add_string(4, "Add");
  std::string graph;
  protozero::pbf_writer graph_writer(graph);
  graph_writer.add_message(1, node);
  graph_writer.add_string(2, "trial");
  graph_writer.add_message(11, value("x"));
  graph_writer.add_message(12, value("y"));
  std::string opset;
  protozero::pbf_writer(opset).add_int64(2, 17);
  std::string model;
  protozero::pbf_writer writer(model);
  writer.add_int64(1, 8);
  writer.add_message(7, graph);
  writer.add_message(8, opset);
  return model;
}

}  // namespace supernova::engine::onnxruntime
