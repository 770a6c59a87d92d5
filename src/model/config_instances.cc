#include "model/config_instances.h"

#include <algorithm>

#include "engine/option_values.h"

namespace supernova::model {
namespace {

using engine::InstanceWish;
using inference::ModelInstanceGroup;

base::Result<bool> may_fall_back(const inference::ModelConfig& proto) {
  const auto found = proto.parameters().find(kCpuFallbackParameter);
  if (found == proto.parameters().end()) return false;
  return engine::parse_flag(base::str_cat("parameter ", kCpuFallbackParameter),
                            found->second.string_value());
}

std::string group_name(const ModelInstanceGroup& group, std::string_view model, int index) {
  return group.name().empty() ? base::str_cat(model, "_", index) : group.name();
}

base::Result<InstanceWish> wish_of(const ModelInstanceGroup& group, std::string name) {
  InstanceWish wish;
  const auto refused = [&](std::string_view why) {
    return absl::InvalidArgumentError(base::str_cat("instance_group '", wish.name, "' ", why));
  };
  wish.name = std::move(name);
  if (group.count() < 0) {
    return refused(base::str_cat("has count ", group.count(), "; write at least 1"));
  }
  if (group.secondary_devices_size() > 0) {
    return refused("asks for secondary_devices, which no engine here uses; remove them");
  }
  wish.count = std::max(group.count(), 1);
  wish.gpus.assign(group.gpus().begin(), group.gpus().end());
  switch (group.kind()) {
    case ModelInstanceGroup::KIND_GPU:
      wish.kind = InstanceWish::Kind::kGpu;
      return wish;
    case ModelInstanceGroup::KIND_AUTO:
      wish.kind = InstanceWish::Kind::kAuto;
      return wish;
    case ModelInstanceGroup::KIND_MODEL:
      wish.kind = InstanceWish::Kind::kModel;
      break;
    default:
      wish.kind = InstanceWish::Kind::kCpu;
  }
  if (wish.gpus.empty()) return wish;
  return refused(base::str_cat("names gpus with ", ModelInstanceGroup::Kind_Name(group.kind()),
                               "; remove gpus or write KIND_GPU"));
}

void warn_without_effect(const ModelInstanceGroup& group, std::vector<std::string>& warnings) {
  const auto no_effect = [&](bool given, std::string_view field) {
    if (!given) return;
    warnings.push_back(
        base::str_cat("instance_group '", group.name(), "': ", field, " has no effect"));
  };
  no_effect(group.passive(), "passive");
  no_effect(group.profile_size() > 0, "profile");
  no_effect(group.has_rate_limiter(), "rate_limiter");
  no_effect(!group.host_policy().empty(), "host_policy");
}

// What the group is on, and what everybody who asks for the configuration should see of it, not in
// the log alone.
base::Status describe_place(const ModelFacts& facts, ModelInstanceGroup& group,
                            inference::ModelConfig& proto) {
  std::vector<std::string> notes;
  std::vector<int> gpus;
  bool on_cpu = facts.places.empty();
  for (const GroupPlace& place : facts.places) {
    // A model without groups has one, which nobody named.
    if (place.group != group.name() && !place.group.empty()) continue;
    on_cpu |= place.cpu;
    if (place.gpu >= 0) gpus.push_back(place.gpu);
    if (!place.fallback.empty()) notes.push_back(place.fallback);
  }
  if (on_cpu && group.kind() == ModelInstanceGroup::KIND_GPU) {
    SN_ASSIGN(const bool accepted, may_fall_back(proto));
    if (!accepted) {
      return absl::InvalidArgumentError(base::str_cat(
          "instance_group '", group.name(), "' asks for KIND_GPU, but engine '", facts.engine,
          "' has no GPU to run on here; write KIND_CPU, or the "
          "parameter '",
          kCpuFallbackParameter, "' with \"true\" to accept the CPU instead"));
    }
    notes.push_back("CPU instead of KIND_GPU: there is no GPU to run on here");
  }
  if (!notes.empty()) {
    (*proto.mutable_parameters())[base::str_cat("placement.", group.name())].set_string_value(
        base::str_join(notes, "; "));
  }
  if (on_cpu || !gpus.empty()) group.clear_gpus();
  if (!gpus.empty()) {
    group.set_kind(ModelInstanceGroup::KIND_GPU);
    for (const int gpu : gpus) group.add_gpus(gpu);
  } else if (on_cpu && group.kind() != ModelInstanceGroup::KIND_MODEL) {
    group.set_kind(ModelInstanceGroup::KIND_CPU);
  } else {
    group.set_kind(ModelInstanceGroup::KIND_MODEL);  // there is no word for other devices
  }
  return {};
}

}  // namespace

base::Result<std::vector<InstanceWish>> wished_instances(const inference::ModelConfig& proto,
                                                         std::string_view model) {
  SN_ASSIGN(const bool fall_back, may_fall_back(proto));
  std::vector<InstanceWish> wishes;
  for (int i = 0; i < proto.instance_group_size(); ++i) {
    const ModelInstanceGroup& group = proto.instance_group(i);
    SN_ASSIGN(InstanceWish wish, wish_of(group, group_name(group, model, i)));
    wish.cpu_instead = fall_back;
    wishes.push_back(std::move(wish));
  }
  return wishes;
}

base::Status resolve_instances(const ModelFacts& facts, inference::ModelConfig& proto,
                               std::vector<std::string>& warnings) {
  SN_TRY(wished_instances(proto, facts.name).status());
  if (proto.instance_group().empty()) proto.add_instance_group();
  for (int i = 0; i < proto.instance_group_size(); ++i) {
    ModelInstanceGroup& group = *proto.mutable_instance_group(i);
    group.set_name(group_name(group, facts.name, i));
    if (group.count() == 0) group.set_count(1);
    SN_TRY(describe_place(facts, group, proto));
    warn_without_effect(group, warnings);
  }
  return {};
}

}  // namespace supernova::model
