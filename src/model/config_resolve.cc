#include "model/config_resolve.h"

#include <algorithm>
#include <array>

#include "model/config_instances.h"
#include "model/config_labels.h"
#include "model/config_tensors.h"
#include "model/version_policy.h"

namespace supernova::model {
namespace {

// How existing configurations name what a model is. `platform` says format and framework at once,
// `backend` the framework alone.
struct Platform {
  std::string_view platform;
  std::string_view backend;
  std::array<std::string_view, 3> formats;  // of models that may be called so
};
constexpr Platform kPlatforms[] = {
    {"onnxruntime_onnx", "onnxruntime", {"onnx"}},
    {"tensorflow_savedmodel", "tensorflow", {"savedmodel", "saved_model", "tensorflow"}},
    {"tensorflow_graphdef", "tensorflow", {"graphdef", "tensorflow"}},
    {"pytorch_libtorch", "pytorch", {"torchscript", "pytorch"}},
    {"libtorch", "pytorch", {"torchscript", "pytorch"}},
    {"", "openvino", {"openvino"}},
};

class Resolver {
 public:
  Resolver(const inference::ModelConfig* given, const ModelFacts& facts,
           std::vector<std::string>& warnings)
      : facts_(facts),
        warnings_(warnings),
        proto_(std::make_shared<inference::ModelConfig>(
            given != nullptr ? *given : inference::ModelConfig())) {}

  base::Result<ModelConfig> resolve() {
    SN_TRY(refuse_other_behaviour());
    SN_TRY(resolve_name());
    SN_TRY(resolve_platform());
    SN_TRY(resolve_file());
    SN_TRY(check_version_policy(proto_->version_policy()));
    if (!proto_->has_version_policy() || proto_->version_policy().policy_choice_case() == 0) {
      proto_->mutable_version_policy()->mutable_latest()->set_num_versions(1);
    }
    if (proto_->max_batch_size() < 0) {
      return absl::InvalidArgumentError(base::str_cat("max_batch_size is ",
                                                      proto_->max_batch_size(),
                                                      "; write 0 for a model that does not batch"));
    }
    ModelConfig config;
    SN_TRY(resolve_tensors(facts_.inputs, facts_.outputs, *proto_, config, warnings_));
    SN_TRY(resolve_instances(facts_, *proto_, warnings_));
    SN_TRY(check_batching());
    SN_TRY(resolve_labels(config));
    warn_without_effect();
    config.proto = std::move(proto_);
    return config;
  }

 private:
  base::Status refuse_other_behaviour() const;
  base::Status resolve_name();
  base::Status resolve_platform();
  base::Status resolve_file();
  base::Status check_batching();
  base::Status check_priorities() const;
  base::Status resolve_labels(ModelConfig& config) const;
  void warn_without_effect();

  bool is_format(const Platform& known) const {
    return std::any_of(known.formats.begin(), known.formats.end(), [&](std::string_view format) {
      return !format.empty() && (format == facts_.format || format == facts_.source_format);
    });
  }

  const ModelFacts& facts_;
  std::vector<std::string>& warnings_;
  std::shared_ptr<inference::ModelConfig> proto_;
};

// What would change results or the shape of answers must not be overlooked.
base::Status Resolver::refuse_other_behaviour() const {
  const auto unserved = [](bool given, std::string_view what) -> base::Status {
    return given ? absl::UnimplementedError(what.data()) : base::Status();
  };
  const inference::ModelConfig& proto = *proto_;
  SN_TRY(unserved(proto.has_sequence_batching(),
                  "sequence_batching is not served: a model's state would be lost between "
                  "requests; remove the section only if the model keeps no state"));
  SN_TRY(unserved(proto.has_ensemble_scheduling() || proto.platform() == "ensemble",
                  "ensembles (ensemble_scheduling) are not served; call the models one by one"));
  SN_TRY(unserved(proto.model_transaction_policy().decoupled(),
                  "decoupled models (model_transaction_policy) are not served: a request has one "
                  "response"));
  SN_TRY(unserved(proto.batch_input_size() > 0 || proto.batch_output_size() > 0,
                  "batch_input and batch_output are not served; send these tensors with the "
                  "request"));
  return unserved(proto.model_repository_agents().agents_size() > 0,
                  "model_repository_agents are not run, and the checks they stand for would not be "
                  "made; remove the section to load the model without them");
}

base::Status Resolver::resolve_name() {
  if (proto_->name().empty()) proto_->set_name(facts_.name);
  if (proto_->name() == facts_.name) return {};
  return absl::InvalidArgumentError(
      base::str_cat("name is '", proto_->name(), "', but the model is '", facts_.name,
                    "'; write the name of its folder or leave name out"));
}

base::Status Resolver::resolve_platform() {
  const std::string own = base::str_cat(facts_.engine, "_", facts_.format);
  const std::string& platform = proto_->platform();
  const auto called = [&](const Platform& known) { return known.platform == platform; };
  const auto* named = std::find_if(std::begin(kPlatforms), std::end(kPlatforms), called);
  if (platform.empty()) {
    proto_->set_platform(own);
  } else if (platform != own && (named == std::end(kPlatforms) || !is_format(*named))) {
    return absl::InvalidArgumentError(base::str_cat("platform is '", platform,
                                                    "', but the model is '", own, "'; write \"",
                                                    own, "\" or leave platform out"));
  }
  if (proto_->backend().empty()) proto_->set_backend(facts_.engine);
  const std::string& backend = proto_->backend();
  if (backend == facts_.engine) return {};
  // The framework of a model that was converted is no engine here, and its name no contradiction.
  const bool converted =
      std::any_of(std::begin(kPlatforms), std::end(kPlatforms), [&](const Platform& known) {
        return known.backend == backend && known.backend != "onnxruntime" && is_format(known);
      });
  if (!converted) {
    return absl::InvalidArgumentError(
        base::str_cat("backend is '", backend, "', but the model is run by '", facts_.engine,
                      "'; write \"", facts_.engine, "\" or leave backend out"));
  }
  warnings_.push_back(
      base::str_cat("backend '", backend, "': the model is run by '", facts_.engine, "'"));
  return {};
}

base::Status Resolver::resolve_file() {
  const std::string& file = proto_->default_model_filename();
  if (file.empty()) {
    proto_->set_default_model_filename(facts_.file);
    return {};
  }
  if (file == facts_.file) return {};
  return absl::InvalidArgumentError(
      base::str_cat("default_model_filename is '", file, "', but the model was read from '",
                    facts_.file, "'; write that name or leave default_model_filename out"));
}

base::Status Resolver::check_batching() {
  if (!proto_->has_dynamic_batching()) return {};
  const inference::ModelDynamicBatching& batching = proto_->dynamic_batching();
  for (const int32_t size : batching.preferred_batch_size()) {
    if (size >= 1 && size <= std::max(1, proto_->max_batch_size())) continue;
    return absl::InvalidArgumentError(base::str_cat(
        "dynamic_batching.preferred_batch_size holds ", size,
        "; preferred sizes lie between 1 and max_batch_size (", proto_->max_batch_size(), ")"));
  }
  if (proto_->max_batch_size() <= 1) {
    warnings_.push_back("dynamic_batching joins no requests: max_batch_size is less than 2");
  }
  return check_priorities();
}

base::Status Resolver::check_priorities() const {
  const inference::ModelDynamicBatching& batching = proto_->dynamic_batching();
  const uint64_t levels = batching.priority_levels();
  const uint64_t standard = batching.default_priority_level();
  if (levels > 0 ? standard < 1 || standard > levels : standard != 0) {
    return absl::InvalidArgumentError(
        base::str_cat("dynamic_batching.default_priority_level is ", standard, " of ", levels,
                      " priority_levels; write a level between 1 and priority_levels, or neither"));
  }
  for (const auto& [level, policy] : batching.priority_queue_policy()) {
    if (level >= 1 && level <= levels) continue;
    return absl::InvalidArgumentError(
        base::str_cat("dynamic_batching.priority_queue_policy has a level ", level,
                      "; levels lie between 1 and priority_levels (", levels, ")"));
  }
  return {};
}

base::Status Resolver::resolve_labels(ModelConfig& config) const {
  for (const inference::ModelOutput& output : proto_->output()) {
    if (output.label_filename().empty()) continue;
    auto labels = read_labels(facts_.folder, output.label_filename());
    if (!labels.ok()) {
      return base::annotate(labels.status(), base::str_cat("output '", output.name(), "'"));
    }
    config.labels.emplace(output.name(), *std::move(labels));
  }
  return {};
}

void Resolver::warn_without_effect() {
  const auto warn = [&](bool given, std::string_view field, std::string_view why) {
    if (given) warnings_.push_back(base::str_cat(field, " has no effect", why));
  };
  const inference::ModelOptimizationPolicy& hints = proto_->optimization();
  warn(hints.has_graph(), "optimization.graph", "");
  warn(hints.priority() != 0, "optimization.priority", "");
  warn(hints.has_cuda(), "optimization.cuda", "");
  warn(hints.has_execution_accelerators(), "optimization.execution_accelerators",
       base::str_cat(": the model is run by '", facts_.engine, "' alone"));
  warn(hints.eager_batching(), "optimization.eager_batching", "");
  warn(proto_->cc_model_filenames_size() > 0, "cc_model_filenames", "");
  warn(proto_->has_model_metrics(), "model_metrics", "");
  warn(!proto_->runtime().empty(), "runtime", "");
  warn(proto_->model_operations().op_library_filename_size() > 0, "model_operations",
       ": libraries of operators are not loaded");
}

}  // namespace

base::Result<ModelConfig> resolve_config(const inference::ModelConfig* given,
                                         const ModelFacts& facts,
                                         std::vector<std::string>& warnings) {
  auto config = Resolver(given, facts, warnings).resolve();
  if (config.ok()) return config;
  return base::annotate(config.status(),
                        base::str_cat("configuration of model '", facts.name, "'"));
}

}  // namespace supernova::model
