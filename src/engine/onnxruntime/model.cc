#include "engine/onnxruntime/model.h"

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "engine/onnxruntime/wrapped.h"
#include "engine/option_values.h"

namespace supernova::engine::onnxruntime {
namespace {

base::Result<GraphOptimizationLevel> optimization_level(const Options& options) {
  const auto found = options.find("graph_optimization_level");
  if (found == options.end()) return ORT_ENABLE_ALL;
  static const std::map<std::string, GraphOptimizationLevel> kLevels = {
      {"none", ORT_DISABLE_ALL},
      {"basic", ORT_ENABLE_BASIC},
      {"extended", ORT_ENABLE_EXTENDED},
      {"layout", ORT_ENABLE_LAYOUT},
      {"all", ORT_ENABLE_ALL}};
  const auto level = kLevels.find(found->second);
  if (level == kLevels.end()) {
    return absl::InvalidArgumentError(base::str_cat(
        "the option graph_optimization_level must be none, basic, extended, layout or "
        "all, not '",
        found->second, "'"));
  }
  return level->second;
}

bool is_prepared(const sn_artefact& artefact) {
  return artefact.format != nullptr && std::string_view(artefact.format) == kPreparedFormat;
}

// The runtime's own messages for these are about file descriptors and protobuf; say what it is.
base::Status check_file(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return absl::NotFoundError(base::str_cat("model file '", path, "' does not exist"));
  }
  if (std::filesystem::is_directory(status)) {
    return absl::InvalidArgumentError(
        base::str_cat("'", path, "' is a folder; name the model file in it"));
  }
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size == 0) {
    return absl::InvalidArgumentError(base::str_cat("model file '", path, "' is empty"));
  }
  return {};
}

base::Result<SessionPtr> open_session(const Runtime& runtime, const sn_artefact& artefact,
                                      const OrtSessionOptions& options) {
  OrtSession* session = nullptr;
  if (artefact.data != nullptr) {
    SN_ORT_TRY(api().CreateSessionFromArray(runtime.env, artefact.data, artefact.data_size,
                                            &options, &session));
  } else {
    SN_TRY(check_file(artefact.path));
    SN_ORT_TRY(api().CreateSession(runtime.env, artefact.path, &options, &session));
  }
  return SessionPtr(session);
}

using CountFunction = OrtStatus* (*)(const OrtSession*, size_t*);
using NameFunction = OrtStatus* (*)(const OrtSession*, size_t, OrtAllocator*, char**);
using TypeFunction = OrtStatus* (*)(const OrtSession*, size_t, OrtTypeInfo**);

base::Result<std::vector<ValueInfo>> read_values(const Runtime& runtime, const OrtSession* session,
                                                 std::string_view role, CountFunction count,
                                                 NameFunction name, TypeFunction type) {
  size_t values = 0;
  SN_ORT_TRY(count(session, &values));
  std::vector<ValueInfo> infos;
  for (size_t i = 0; i < values; ++i) {
    char* raw_name = nullptr;
    SN_ORT_TRY(name(session, i, runtime.allocator, &raw_name));
    std::string text = raw_name;
    SN_ORT_TRY(api().AllocatorFree(runtime.allocator, raw_name));
    OrtTypeInfo* raw_type = nullptr;
    SN_ORT_TRY(type(session, i, &raw_type));
    const TypeInfoPtr owned(raw_type);
    SN_ASSIGN(auto value, describe(role, std::move(text), *owned));
    infos.push_back(std::move(value));
  }
  return infos;
}

}  // namespace

base::Result<SessionOptionsPtr> Model::session_options(const sn_artefact& artefact,
                                                       const Options& options, int thread_budget) {
  OrtSessionOptions* raw = nullptr;
  SN_ORT_TRY(api().CreateSessionOptions(&raw));
  SessionOptionsPtr made(raw);
  SN_ASSIGN(const int threads, intra_op_threads(options, thread_budget));
  SN_ASSIGN(const GraphOptimizationLevel level, optimization_level(options));
  SN_ORT_TRY(api().SetIntraOpNumThreads(raw, threads));
  SN_ORT_TRY(api().SetInterOpNumThreads(raw, 1));
  SN_ORT_TRY(api().SetSessionExecutionMode(raw, ORT_SEQUENTIAL));
  SN_ORT_TRY(api().SetSessionGraphOptimizationLevel(raw, level));
  SN_ORT_TRY(api().EnableCpuMemArena(raw));
  if (is_prepared(artefact)) {
    // The bytes live as long as the model: nothing of them is copied, weights least of all.
    for (const char* key :
         {"session.use_ort_model_bytes_directly", "session.use_ort_model_bytes_for_initializers"}) {
      SN_ORT_TRY(api().AddSessionConfigEntry(raw, key, "1"));
    }
    SN_ORT_TRY(api().AddSessionConfigEntry(raw, "session.load_model_format", "ORT"));
  } else if (artefact.data != nullptr && artefact.path != nullptr) {
    SN_ORT_TRY(api().AddSessionConfigEntry(
        raw, "session.model_external_initializers_file_folder_path", artefact.path));
  }
  for (const auto& [key, value] : options) {
    if (!absl::StartsWith(key, "session.") && !absl::StartsWith(key, "ep.")) continue;
    const base::Status added =
        to_status(api().AddSessionConfigEntry(raw, key.c_str(), value.c_str()));
    if (!added.ok()) return base::annotate(added, base::str_cat("option ", key));
  }
  return made;
}

base::Result<std::unique_ptr<Model>> Model::open(const Runtime& runtime,
                                                 const sn_artefact& artefact,
                                                 const Options& options, int thread_budget,
                                                 const Configure& configure) {
  if (artefact.data == nullptr && artefact.path == nullptr) {
    return absl::InvalidArgumentError("the artefact names neither a file nor bytes");
  }
  if (is_prepared(artefact) && artefact.data == nullptr) {
    return absl::InvalidArgumentError("prepared models are opened from memory only");
  }
  SN_ASSIGN(const SessionOptionsPtr session_opts,
            session_options(artefact, options, thread_budget));
  if (configure) SN_TRY(configure(session_opts.get()));
  return open(runtime, artefact, *session_opts);
}

base::Result<std::unique_ptr<Model>> Model::open(const Runtime& runtime,
                                                 const sn_artefact& artefact,
                                                 const OrtSessionOptions& options) {
  std::unique_ptr<Model> model(new Model);
  model->runtime_ = &runtime;
  SN_ASSIGN(model->session_, open_session(runtime, artefact, options));
  SN_TRY(model->read_signature());
  model->fill_info();
  return model;
}

base::Status Model::read_signature() {
  const OrtApi& ort = api();
  SN_ASSIGN(inputs_, read_values(*runtime_, session_.get(), "input", ort.SessionGetInputCount,
                                 ort.SessionGetInputName, ort.SessionGetInputTypeInfo));
  SN_ASSIGN(auto overridable, read_values(*runtime_, session_.get(), "input",
                                          ort.SessionGetOverridableInitializerCount,
                                          ort.SessionGetOverridableInitializerName,
                                          ort.SessionGetOverridableInitializerTypeInfo));
  // Inputs with a default: the graph has an initializer of the same name.
  for (ValueInfo& value : overridable) {
    value.optional = true;
    inputs_.push_back(std::move(value));
  }
  SN_ASSIGN(outputs_, read_values(*runtime_, session_.get(), "output", ort.SessionGetOutputCount,
                                  ort.SessionGetOutputName, ort.SessionGetOutputTypeInfo));
  for (ValueInfo& input : inputs_) SN_TRY(prepare_wrapped(*runtime_, input));
  find_handed_through();
  return {};
}

void Model::find_handed_through() {
  never_lent_ = std::make_unique<std::atomic<bool>[]>(outputs_.size());
  for (size_t i = 0; i < outputs_.size(); ++i) {
    never_lent_[i] = std::any_of(inputs_.begin(), inputs_.end(), [&](const ValueInfo& input) {
      return input.name == outputs_[i].name;
    });
  }
}

void Model::fill_info() {
  symbols_.clear();
  input_infos_.clear();
  output_infos_.clear();
  const auto fill = [this](const ValueInfo& value) {
    auto& symbols = symbols_.emplace_back();
    for (const std::string& symbol : value.dim_names) {
      symbols.push_back(symbol.empty() ? nullptr : symbol.c_str());
    }
    sn_tensor_info info{};
    info.size = sizeof(info);
    info.name = value.name.c_str();
    info.dtype = value.dtype;
    info.rank = value.rank_known ? static_cast<int32_t>(value.dims.size()) : -1;
    info.dims = value.dims.data();
    info.dim_names = symbols.data();
    info.optional = value.optional ? 1 : 0;
    return info;
  };
  for (const ValueInfo& value : inputs_) input_infos_.push_back(fill(value));
  for (const ValueInfo& value : outputs_) output_infos_.push_back(fill(value));
  signature_.size = sizeof(signature_);
  signature_.name = "";
  signature_.inputs = input_infos_.data();
  signature_.input_count = input_infos_.size();
  signature_.outputs = output_infos_.data();
  signature_.output_count = output_infos_.size();
  info_.size = sizeof(info_);
  info_.signatures = &signature_;
  info_.signature_count = 1;
}

const ValueInfo* Model::find_output(const char* name, size_t& index) const {
  for (index = 0; index < outputs_.size(); ++index) {
    if (outputs_[index].name == name) return &outputs_[index];
  }
  return nullptr;
}

const ValueInfo* Model::find_wrapped(const char* name) const {
  for (const ValueInfo& input : inputs_) {
    if (input.form != Form::kTensor && input.name == name) return &input;
  }
  return nullptr;
}

bool Model::same_signature(const Model& other) const {
  const auto same = [](const std::vector<ValueInfo>& some, const std::vector<ValueInfo>& others) {
    return std::equal(some.begin(), some.end(), others.begin(), others.end(),
                      [](const ValueInfo& a, const ValueInfo& b) {
                        return a.name == b.name && a.dtype == b.dtype && a.form == b.form &&
                               a.rank_known == b.rank_known && a.optional == b.optional &&
                               a.dims == b.dims && a.dim_names == b.dim_names &&
                               a.content.words == b.content.words;
                      });
  };
  return same(inputs_, other.inputs_) && same(outputs_, other.outputs_);
}

uint64_t Model::host_memory_bytes() const { return bytes_in(*runtime_->cpu_memory); }

uint64_t Model::bytes_in(const OrtMemoryInfo& memory) const {
  OrtAllocator* arena = nullptr;
  if (!to_status(api().CreateAllocator(session_.get(), &memory, &arena)).ok()) {
    return 0;
  }
  uint64_t bytes = 0;
  OrtKeyValuePairs* stats = nullptr;
  if (to_status(api().AllocatorGetStats(arena, &stats)).ok()) {
    const char* total = api().GetKeyValue(stats, "TotalAllocated");
    if (total == nullptr || !absl::SimpleAtoi(total, &bytes)) bytes = 0;
    api().ReleaseKeyValuePairs(stats);
  }
  api().ReleaseAllocator(arena);
  return bytes;
}

}  // namespace supernova::engine::onnxruntime
