#include "model/config_instances.h"

namespace supernova::model {
namespace {

using inference::ModelInstanceGroup;

base::Result<bool> may_fall_back(const inference::ModelConfig& proto) {
  const auto found = proto.parameters().find(kCpuFallbackParameter);
  if (found == proto.parameters().end()) return false;
  const std::string& value = found->second.string_value();
  if (value == "true" || value == "false") return value == "true";
  return absl::InvalidArgumentError(base::str_cat("parameter '", kCpuFallbackParameter, "' is '",
                                                  value, "'; write \"true\" or \"false\""));
}

// A kind that there is: a GPU is never replaced silently.
base::Status resolve_kind(const ModelFacts& facts, const inference::ModelConfig& proto,
                          ModelInstanceGroup& group, std::vector<std::string>& warnings) {
  const std::string& name = group.name();
  switch (group.kind()) {
    case ModelInstanceGroup::KIND_GPU: {
      SN_ASSIGN(const bool fall_back, may_fall_back(proto));
      if (facts.has_gpu) return {};
      if (!fall_back) {
        return absl::InvalidArgumentError(base::str_cat(
            "instance_group '", name, "' asks for KIND_GPU, but engine '", facts.engine,
            "' has no GPU to run on here; write KIND_CPU, or the parameter '",
            kCpuFallbackParameter, "' with \"true\" to accept the CPU instead"));
      }
      warnings.push_back(base::str_cat("instance_group '", name,
                                       "' asks for KIND_GPU and runs on the CPU: engine '",
                                       facts.engine, "' has no GPU to run on here, and parameter '",
                                       kCpuFallbackParameter, "' accepts it"));
      group.set_kind(ModelInstanceGroup::KIND_CPU);
      group.clear_gpus();
      return {};
    }
    case ModelInstanceGroup::KIND_AUTO:
      if (group.gpus_size() > 0) {
        warnings.push_back(base::str_cat("instance_group '", name,
                                         "' names GPUs and runs on the CPU: KIND_AUTO allows it; "
                                         "write KIND_GPU to insist"));
        group.clear_gpus();
      }
      group.set_kind(ModelInstanceGroup::KIND_CPU);
      return {};
    default:
      if (group.gpus_size() == 0) return {};
      return absl::InvalidArgumentError(base::str_cat(
          "instance_group '", name, "' names gpus with ",
          ModelInstanceGroup::Kind_Name(group.kind()), "; remove gpus or write KIND_GPU"));
  }
}

base::Status resolve_group(const ModelFacts& facts, const inference::ModelConfig& proto,
                           ModelInstanceGroup& group, std::vector<std::string>& warnings) {
  const std::string& name = group.name();
  if (group.count() < 0) {
    return absl::InvalidArgumentError(base::str_cat("instance_group '", name, "' has count ",
                                                    group.count(), "; write at least 1"));
  }
  if (group.count() == 0) group.set_count(1);
  if (group.secondary_devices_size() > 0) {
    return absl::InvalidArgumentError(base::str_cat("instance_group '", name,
                                                    "' asks for secondary_devices, which engine '",
                                                    facts.engine, "' does not use; remove them"));
  }
  SN_TRY(resolve_kind(facts, proto, group, warnings));
  const auto no_effect = [&](bool given, std::string_view field) {
    if (!given) return;
    warnings.push_back(base::str_cat("instance_group '", name, "': ", field, " has no effect"));
  };
  no_effect(group.passive(), "passive");
  no_effect(group.profile_size() > 0, "profile");
  no_effect(group.has_rate_limiter(), "rate_limiter");
  no_effect(!group.host_policy().empty(), "host_policy");
  return {};
}

}  // namespace

base::Status resolve_instances(const ModelFacts& facts, inference::ModelConfig& proto,
                               std::vector<std::string>& warnings) {
  if (proto.instance_group().empty()) proto.add_instance_group();
  for (int i = 0; i < proto.instance_group_size(); ++i) {
    ModelInstanceGroup& group = *proto.mutable_instance_group(i);
    if (group.name().empty()) group.set_name(base::str_cat(facts.name, "_", i));
    const bool wants_gpu = group.kind() == ModelInstanceGroup::KIND_GPU;
    SN_TRY(resolve_group(facts, proto, group, warnings));
    if (wants_gpu && group.kind() != ModelInstanceGroup::KIND_GPU) {
      // Where everybody who asks for the configuration sees it, not in the log alone.
      (*proto.mutable_parameters())[base::str_cat("placement.", group.name())].set_string_value(
          "CPU instead of KIND_GPU: there is no GPU to run on here");
    }
  }
  return {};
}

}  // namespace supernova::model
