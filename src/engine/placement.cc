#include "engine/placement.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "engine/placement_targets.h"

namespace supernova::engine {
namespace {

using device::Device;
using Kind = InstanceWish::Kind;

const Device* find_device(const std::vector<Device>& devices, std::string_view id) {
  const auto at = std::find_if(devices.begin(), devices.end(),
                               [&](const Device& device) { return device.id == id; });
  return at == devices.end() ? nullptr : &*at;
}

std::string why_unusable(const Device& device) {
  return !device.missing.empty()  ? device.missing
         : !device.health.empty() ? device.health
                                  : std::string(device::device_state_name(device.state));
}

// A way to place the whole model.
struct Plan {
  std::string engine;
  size_t offer = 0;
  std::vector<PlacedInstance> instances;
  std::vector<std::string> warnings;
  int off_cpu = 0;  // groups that are not on the CPU, which nobody asked to leave
  bool wholly = true;
  bool measured = true;  // all of it
  uint64_t measured_ns = 0;
  int64_t score = 0;
  int accelerators = 0;
};

// The order of the header. Negative: a is better.
int compare(bool both_measured, uint64_t ns_a, uint64_t ns_b, std::tuple<int, int64_t, int> a,
            std::tuple<int, int64_t, int> b) {
  if (std::get<0>(a) != std::get<0>(b)) return std::get<0>(a) > std::get<0>(b) ? -1 : 1;
  if (both_measured && ns_a != ns_b) return ns_a < ns_b ? -1 : 1;
  return a == b ? 0 : a > b ? -1 : 1;
}

bool better(const Plan& a, const Plan& b) {
  if (a.off_cpu != b.off_cpu) return a.off_cpu < b.off_cpu;
  return compare(a.measured && b.measured, a.measured_ns, b.measured_ns,
                 {a.wholly, a.score, a.accelerators}, {b.wholly, b.score, b.accelerators}) < 0;
}

class Placer {
 public:
  explicit Placer(const PlacementInput& input) : input_(input) {}

  Placement place() {
    placement_.rejected = input_.rejections;
    for (const Offer& offer : input_.offers) {
      if (!offer.problem.ok()) reject("", offer.format, "", base::message(offer.problem));
    }
    auto targets = resolve_targets(input_.wishes, input_.devices, placement_.warnings);
    if (!targets.ok()) return fail(targets.status());
    targets_ = *std::move(targets);
    reject_out_of_order();
    sift();
    const Plan* best = nullptr;
    std::vector<Plan> plans = make_plans();
    for (const Plan& plan : plans) {
      if (best == nullptr || better(plan, *best)) best = &plan;
    }
    if (best == nullptr) return fail(why_none());
    accept(*best, plans);
    return std::move(placement_);
  }

 private:
  void reject(std::string_view engine, std::string_view format, std::string_view device,
              std::string_view reason) {
    placement_.rejected.push_back(
        {std::string(engine), std::string(format), std::string(device),
         reason.empty() ? "the engine does not say why" : std::string(reason)});
  }
  Placement fail(const base::Status& status) {
    placement_.status = status;
    return std::move(placement_);
  }

  // A device that was left out because something is missing is not left out silently.
  void reject_out_of_order() {
    std::set<std::string> said;
    for (const Rejection& rejection : placement_.rejected) {
      if (rejection.engine.empty()) said.insert(rejection.device);
    }
    for (const Target& target : targets_) {
      for (const Device* device : target.out_of_order) {
        if (!said.insert(device->id).second) continue;
        reject("", "", device->id, why_unusable(*device));
      }
    }
  }

  // Keeps the candidates that can be used, says why not of the others.
  void sift() {
    const bool any_wholly = std::any_of(targets_.begin(), targets_.end(),
                                        [](const Target& target) { return target.wholly; });
    for (const Candidate& candidate : input_.candidates) {
      const Device* device = find_device(input_.devices, candidate.device);
      if (device == nullptr || candidate.offer >= input_.offers.size()) continue;
      const std::string& format = input_.offers[candidate.offer].format;
      const std::string why = why_not(candidate, *device);
      if (!why.empty()) {
        reject(candidate.engine, format, candidate.device, why);
        continue;
      }
      if (any_wholly && !is_cpu(*device) && candidate.verdict.compatibility != SN_CAN_RUN) {
        const auto nodes = fallen_back(candidate.verdict, device->abi_kind);
        reject(candidate.engine, format, candidate.device,
               base::str_cat("it does not run all of the model there",
                             nodes.empty() ? "" : base::str_cat(" (", nodes_text(nodes), ")"),
                             "; name the device to take it all the same"));
      }
      good_.push_back({&candidate, device});
    }
  }

  std::string why_not(const Candidate& candidate, const Device& device) const {
    const Verdict& verdict = candidate.verdict;
    if (verdict.compatibility == SN_CAN_NOT_RUN) {
      return verdict.reason.empty() ? "the engine does not say why" : verdict.reason;
    }
    const auto nodes = fallen_back(verdict, device.abi_kind);
    // Where the engine can't say which nodes yet, it shows when the model is opened.
    if (input_.wishes.strict && !nodes.empty()) {
      return base::str_cat("strict_device: not all of the model would run on it: ",
                           nodes_text(nodes));
    }
    if (input_.memory_budget != 0 && verdict.host_memory_bytes > input_.memory_budget) {
      return base::str_cat("it needs ", verdict.host_memory_bytes,
                           " bytes of memory; models may take ", input_.memory_budget,
                           " (--model-memory-budget)");
    }
    if (device.memory_free_bytes != 0 && verdict.device_memory_bytes > device.memory_free_bytes) {
      return base::str_cat("it needs ", verdict.device_memory_bytes,
                           " bytes of the device, of which ", device.memory_free_bytes,
                           " are free");
    }
    return "";
  }

  struct Good {
    const Candidate* candidate = nullptr;
    const Device* device = nullptr;
  };

  std::vector<Plan> make_plans() const {
    std::vector<Plan> plans;
    std::set<std::pair<std::string, size_t>> tried;
    for (const Good& good : good_) {
      const Candidate& candidate = *good.candidate;
      if (!tried.emplace(candidate.engine, candidate.offer).second) continue;
      if (auto plan = make_plan(candidate.engine, candidate.offer)) {
        plans.push_back(*std::move(plan));
      }
    }
    return plans;
  }

  std::optional<Plan> make_plan(const std::string& engine, size_t offer) const {
    Plan plan;
    plan.engine = engine;
    plan.offer = offer;
    for (const Target& target : targets_) {
      const size_t before = plan.instances.size();
      if (!target.any.empty()) {
        const Good* best = best_of(target, engine, offer);
        if (best == nullptr) return std::nullopt;
        add(plan, target, *best);
      } else if (!add_all(plan, target)) {
        return std::nullopt;
      }
      // As much as its first device gives; their number says nothing of how good they are.
      plan.score += plan.instances[before].verdict.score;
    }
    return plan;
  }

  const Good* find(const std::string& engine, size_t offer, const Device* device) const {
    for (const Good& good : good_) {
      if (good.candidate->engine == engine && good.candidate->offer == offer &&
          good.device == device) {
        return &good;
      }
    }
    return nullptr;
  }

  const Good* best_of(const Target& target, const std::string& engine, size_t offer) const {
    const Good* best = nullptr;
    for (const Device* device : target.any) {
      const Good* good = find(engine, offer, device);
      if (good == nullptr) continue;
      const bool whole = good->candidate->verdict.compatibility == SN_CAN_RUN;
      if (target.wholly && !is_cpu(*device) && !whole) continue;
      if (best == nullptr || better_device(target, *good, *best)) best = good;
    }
    return best;
  }

  static bool better_device(const Target& target, const Good& a, const Good& b) {
    if (target.cpu_first && is_cpu(*a.device) != is_cpu(*b.device)) return is_cpu(*a.device);
    const auto rank = [](const Good& good) {
      const Verdict& verdict = good.candidate->verdict;
      return std::tuple<int, int64_t, int>(verdict.compatibility == SN_CAN_RUN, verdict.score,
                                           !is_cpu(*good.device));
    };
    const uint64_t ns_a = a.candidate->measured_ns;
    const uint64_t ns_b = b.candidate->measured_ns;
    return compare(ns_a != 0 && ns_b != 0, ns_a, ns_b, rank(a), rank(b)) < 0;
  }

  bool add_all(Plan& plan, const Target& target) const {
    std::vector<const Good*> found;
    for (const Device* device : target.all) {
      const Good* good = find(plan.engine, plan.offer, device);
      if (good != nullptr) found.push_back(good);
    }
    if (target.problem.empty() && !found.empty() && found.size() == target.all.size()) {
      for (const Good* good : found) add(plan, target, *good);
      return true;
    }
    const Good* instead =
        target.instead == nullptr ? nullptr : find(plan.engine, plan.offer, target.instead);
    if (instead == nullptr) return false;
    plan.warnings.push_back(base::str_cat(
        "instance_group '", target.wish->name, "' asks for KIND_GPU and runs on the CPU: ",
        target.problem.empty()
            ? base::str_cat("engine '", plan.engine, "' can't run it on ", ids_of(target.all))
            : target.problem,
        ", and parameter '", kCpuFallbackParameter, "' accepts it"));
    add(plan, target, *instead);
    return true;
  }

  static void add(Plan& plan, const Target& target, const Good& good) {
    const Verdict& verdict = good.candidate->verdict;
    plan.instances.push_back({target.wish->name, good.device->id, target.wish->count, verdict,
                              target.wholly && !is_cpu(*good.device)});
    if (target.cpu_first && !is_cpu(*good.device)) ++plan.off_cpu;
    plan.wholly &= verdict.compatibility == SN_CAN_RUN;
    plan.measured &= good.candidate->measured_ns != 0;
    plan.measured_ns += good.candidate->measured_ns;
    plan.accelerators += is_cpu(*good.device) ? 0 : 1;
  }

  void accept(const Plan& best, const std::vector<Plan>& plans) {
    placement_.engine = best.engine;
    placement_.offer = best.offer;
    placement_.instances = best.instances;
    placement_.warnings.insert(placement_.warnings.end(), best.warnings.begin(),
                               best.warnings.end());
    for (const Plan& plan : plans) {
      if (&plan == &best) continue;
      reject(plan.engine, input_.offers[plan.offer].format, plan.instances.front().device,
             base::str_cat("it can run the model (score ", plan.score, "); ", best.engine,
                           " comes before it"));
    }
    note_gpus_not_taken(best);
    std::string why = targets_.front().why;
    if (best.off_cpu > 0) {
      why += ", and nothing runs the model on the CPU";
    } else if (targets_.front().cpu_first) {
      why += ": the CPU";
    }
    const bool named = !input_.wishes.engine.empty();
    placement_.reason = base::str_cat(
        why, "; ",
        named               ? base::str_cat("the engine ", best.engine, " was asked for")
        : plans.size() == 1 ? base::str_cat(best.engine, " is the only engine that can run it")
                            : why_best(best));
  }

  static std::string why_best(const Plan& best) {
    return base::str_cat(
        best.engine, " comes first of the engines that can run it (",
        best.wholly ? "all of it" : "a part of it on the device", ", score ", best.score,
        best.measured ? base::str_cat(", ", best.measured_ns, " ns measured") : "", ")");
  }

  // KIND_AUTO may name GPUs and still end on the CPU, which is to be said.
  void note_gpus_not_taken(const Plan& best) {
    for (const Target& target : targets_) {
      if (!target.wholly || target.wish->gpus.empty()) continue;
      for (const PlacedInstance& instance : best.instances) {
        const Device* device = find_device(input_.devices, instance.device);
        if (instance.group != target.wish->name || device == nullptr || !is_cpu(*device)) continue;
        placement_.warnings.push_back(
            base::str_cat("instance_group '", target.wish->name,
                          "' names GPUs and runs on the CPU: KIND_AUTO allows it; write KIND_GPU "
                          "to insist"));
      }
    }
  }

  base::Status why_none() const {
    std::vector<std::string> reasons;
    std::vector<Rejection> sorted = placement_.rejected;
    // What was found out on a device says more than that an engine takes other files.
    std::stable_partition(sorted.begin(), sorted.end(), [](const Rejection& rejected) {
      return !rejected.engine.empty() && !rejected.device.empty();
    });
    for (const Rejection& rejected : sorted) {
      if (rejected.engine.empty() && rejected.device.empty()) continue;  // the import, below
      const bool elsewhere = !rejected.device.empty() && rejected.device != "cpu";
      std::string who = rejected.engine.empty() ? rejected.device : rejected.engine;
      if (elsewhere && !rejected.engine.empty()) who += " on " + rejected.device;
      reasons.push_back(base::str_cat(who, ": ", rejected.reason));
    }
    const std::string all = base::str_join(reasons, "; ");
    for (const Offer& offer : input_.offers) {
      if (offer.problem.ok()) continue;
      if (reasons.empty()) return offer.problem;
      return base::Status(
          offer.problem.code(),
          base::str_cat(base::message(offer.problem), "; and as it is nothing runs it: ", all));
    }
    if (!input_.wishes.engine.empty() && !reasons.empty()) {
      return absl::FailedPreconditionError(
          base::str_cat("engine '", input_.wishes.engine, "' can't run this model: ", all));
    }
    if (reasons.empty()) {
      const std::string format = input_.offers.empty() ? "" : input_.offers.front().format;
      return absl::FailedPreconditionError(
          base::str_cat("no engine here takes the format '", format,
                        "'; there is: ", base::str_join(input_.engines, ", ")));
    }
    return absl::FailedPreconditionError(
        base::str_cat("no engine can run this model: ", all, gpu_remedy()));
  }

  std::string gpu_remedy() const {
    for (const Target& target : targets_) {
      if (target.wish->kind != Kind::kGpu || target.instead != nullptr) continue;
      return base::str_cat("; instance_group '", target.wish->name,
                           "' asks for KIND_GPU: write KIND_CPU, or the parameter '",
                           kCpuFallbackParameter, "' with \"true\" to accept the CPU instead");
    }
    return "";
  }

  const PlacementInput& input_;
  Placement placement_;
  std::vector<Target> targets_;
  std::vector<Good> good_;
};

}  // namespace

Placement place(const PlacementInput& input) { return Placer(input).place(); }

std::vector<NodePlacement> fallen_back(const Verdict& verdict, sn_device_kind device) {
  std::vector<NodePlacement> nodes;
  for (const NodePlacement& node : verdict.placement) {
    const bool on_cpu = node.where == "CPU" || node.where == "cpu";
    if (!node.reason.empty() || (device != SN_DEVICE_CPU && on_cpu)) nodes.push_back(node);
  }
  return nodes;
}

std::string nodes_text(const std::vector<NodePlacement>& nodes) {
  std::map<std::pair<std::string, std::string>, size_t> counts;
  for (const NodePlacement& node : nodes) ++counts[{node.op, node.reason}];
  std::vector<std::string> texts;
  for (const auto& [what, count] : counts) {
    texts.push_back(
        base::str_cat(what.first, count > 1 ? base::str_cat(" x", count) : "",
                      what.second.empty() ? "" : base::str_cat(" (", what.second, ")")));
  }
  return base::str_cat(nodes.size(),
                       nodes.size() == 1 ? " node: " : " nodes: ", base::str_join(texts, ", "));
}

}  // namespace supernova::engine
