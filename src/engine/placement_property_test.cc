// What place() promises, on inputs made at random: always the same ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "engine/placement.h"

namespace supernova::engine {
namespace {

using device::Device;
using device::DeviceState;
using Kind = InstanceWish::Kind;

constexpr int kInputs = 20'000;
constexpr sn_device_kind kKinds[] = {SN_DEVICE_NVIDIA, SN_DEVICE_AMD, SN_DEVICE_VULKAN,
                                     SN_DEVICE_EDGETPU};
constexpr const char* kEngines[] = {"ort", "lite", "own"};

class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  PlacementInput input() {
    PlacementInput input;
    input.engines = {std::begin(kEngines), std::end(kEngines)};
    make_devices(input.devices);
    input.offers = {{"onnx", false, {}}};
    if (one_in(2)) input.offers.push_back({"tflite", true, {}});
    if (one_in(8)) input.offers[0].problem = absl::UnimplementedError("no such operator");
    make_candidates(input);
    make_wishes(input);
    if (one_in(4)) input.memory_budget = 500;
    return input;
  }
  int up_to(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }
  bool one_in(int n) { return up_to(n - 1) == 0; }
  template <typename T>
  void shuffle(std::vector<T>& list) {
    std::shuffle(list.begin(), list.end(), random_);
  }

 private:
  void make_devices(std::vector<Device>& devices) {
    devices.emplace_back().id = "cpu";
    devices.front().kind = "cpu";
    for (const sn_device_kind kind : kKinds) {
      for (int i = up_to(2); i-- > 0;) {
        Device& device = devices.emplace_back();
        device.abi_kind = kind;
        device.kind = device::device_kind_name(kind);
        device.ordinal = i;
        device.id = base::str_cat(device.kind, ":", i);
        device.engine = "ort";
        if (one_in(3)) device.state = DeviceState::kUnusable, device.missing = "its driver";
        if (one_in(8)) device.features = {"emulated"};
        if (one_in(3)) device.memory_free_bytes = 500;
      }
    }
  }
  Verdict verdict(const Device& device) {
    Verdict verdict;
    verdict.score = up_to(300);
    verdict.host_memory_bytes = one_in(3) ? 1000 : 0;
    verdict.device_memory_bytes = one_in(3) ? 1000 : 0;
    verdict.expected_latency_ns = static_cast<uint64_t>(up_to(1000));
    if (one_in(4)) {
      verdict.compatibility = SN_CAN_NOT_RUN;
      if (one_in(2)) verdict.reason = "no kernel";
    } else if (one_in(3)) {
      verdict.compatibility = SN_CAN_RUN_PARTLY;
      if (one_in(2)) verdict.placement = {{"a", "Conv", device.id, ""}, {"b", "Loop", "CPU", ""}};
    }
    return verdict;
  }
  void make_candidates(PlacementInput& input) {
    for (const char* engine : kEngines) {
      for (size_t offer = 0; offer < input.offers.size(); ++offer) {
        for (const Device& device : input.devices) {
          if (!input.offers[offer].problem.ok() || device.state != DeviceState::kUsable) continue;
          if (one_in(3)) continue;
          const uint64_t measured = one_in(3) ? static_cast<uint64_t>(1 + up_to(500)) : 0;
          input.candidates.push_back({engine, offer, device.id, verdict(device), measured});
        }
      }
    }
  }
  void make_wishes(PlacementInput& input) {
    Wishes& wishes = input.wishes;
    wishes.strict = one_in(3);
    const auto index = static_cast<size_t>(up_to(static_cast<int>(input.devices.size()) - 1));
    if (one_in(3)) wishes.device = input.devices[index].id;
    if (one_in(6)) wishes.device = one_in(2) ? "gpu" : "nowhere";
    if (one_in(4)) wishes.device = kAnyDevice;
    if (one_in(5)) {
      wishes.engine = kEngines[up_to(2)];
      std::erase_if(input.candidates,
                    [&](const Candidate& c) { return c.engine != wishes.engine; });
    }
    for (int i = up_to(2); i-- > 0;) {
      InstanceWish& wish = wishes.groups.emplace_back();
      wish.name = base::str_cat("g", i);
      wish.kind = static_cast<Kind>(up_to(4));
      wish.count = up_to(3);
      wish.cpu_instead = one_in(3);
      if (one_in(3)) wish.gpus = {up_to(3)};
    }
  }

  std::mt19937 random_;
};

// All of it but the order in which the candidates were refused.
std::string text_of(const Placement& placement) {
  std::string text = base::str_cat(placement.status.ToString(), "|", placement.engine, "|",
                                   placement.offer, "|", placement.reason);
  for (const PlacedInstance& instance : placement.instances) {
    text += base::str_cat("|", instance.group, " ", instance.device, " ", instance.count);
  }
  std::vector<std::string> refused;
  for (const Rejection& rejection : placement.rejected) {
    refused.push_back(base::str_cat("|", rejection.engine, " ", rejection.format, " ",
                                    rejection.device, " ", rejection.reason));
  }
  std::sort(refused.begin(), refused.end());
  return text + base::str_join(refused, "") + base::str_join(placement.warnings, "|");
}

const Candidate* candidate_of(const PlacementInput& input, const Placement& placement,
                              const std::string& device) {
  for (const Candidate& candidate : input.candidates) {
    if (candidate.engine == placement.engine && candidate.offer == placement.offer &&
        candidate.device == device) {
      return &candidate;
    }
  }
  return nullptr;
}

void expect_possible(const PlacementInput& input, const Placement& placement) {
  ASSERT_FALSE(placement.instances.empty());
  EXPECT_NE(placement.reason, "");
  ASSERT_LT(placement.offer, input.offers.size());
  EXPECT_TRUE(input.offers[placement.offer].problem.ok());
  EXPECT_TRUE(input.wishes.engine.empty() || placement.engine == input.wishes.engine);
  const std::string& asked = input.wishes.device;
  for (const PlacedInstance& instance : placement.instances) {
    const auto device = std::find_if(input.devices.begin(), input.devices.end(),
                                     [&](const Device& one) { return one.id == instance.device; });
    ASSERT_NE(device, input.devices.end());
    EXPECT_EQ(device->state, DeviceState::kUsable);
    const Candidate* candidate = candidate_of(input, placement, instance.device);
    ASSERT_NE(candidate, nullptr);
    const Verdict& verdict = candidate->verdict;
    EXPECT_NE(verdict.compatibility, SN_CAN_NOT_RUN);
    // What it costs is what the engine said.
    EXPECT_EQ(instance.verdict.expected_latency_ns, verdict.expected_latency_ns);
    EXPECT_EQ(instance.verdict.host_memory_bytes, verdict.host_memory_bytes);
    EXPECT_TRUE(input.memory_budget == 0 || verdict.host_memory_bytes <= input.memory_budget);
    EXPECT_TRUE(device->memory_free_bytes == 0 ||
                verdict.device_memory_bytes <= device->memory_free_bytes);
    if (input.wishes.strict) {
      EXPECT_TRUE(fallen_back(verdict, device->abi_kind).empty());
    }
    if (!asked.empty() && asked != kAnyDevice && asked != "gpu") {
      EXPECT_EQ(instance.device, asked);
    }
    if (asked == "gpu") {
      EXPECT_NE(instance.device, "cpu");
    }
  }
}

// The CPU stands for a GPU only where that was allowed, and says so.
void expect_no_silent_cpu(const PlacementInput& input, const Placement& placement) {
  if (!input.wishes.device.empty() && input.wishes.device != kAnyDevice) return;
  for (const InstanceWish& wish : input.wishes.groups) {
    if (wish.kind != Kind::kGpu) continue;
    for (const PlacedInstance& instance : placement.instances) {
      if (instance.group != wish.name || instance.device != "cpu") continue;
      EXPECT_TRUE(wish.cpu_instead);
      EXPECT_FALSE(placement.warnings.empty());
    }
  }
}

void expect_reasons(const PlacementInput& input, const Placement& placement) {
  std::set<std::tuple<std::string, std::string, std::string>> refused;
  for (const Rejection& rejection : placement.rejected) {
    EXPECT_NE(rejection.reason, "");
    refused.insert({rejection.engine, rejection.format, rejection.device});
  }
  if (!placement.status.ok()) {
    EXPECT_NE(base::message(placement.status), "");
    EXPECT_TRUE(placement.instances.empty());
    return;
  }
  for (const Device& device : input.devices) {
    const bool left_out = input.wishes.device == kAnyDevice && input.wishes.groups.empty() &&
                          device.state != DeviceState::kUsable && !device::is_emulated(device);
    EXPECT_TRUE(!left_out || refused.contains({"", "", device.id})) << device.id;
  }
  for (const Candidate& candidate : input.candidates) {
    if (candidate.verdict.compatibility != SN_CAN_NOT_RUN) continue;
    EXPECT_TRUE(refused.contains(
        {candidate.engine, input.offers[candidate.offer].format, candidate.device}))
        << candidate.engine << " on " << candidate.device;
  }
}

TEST(PlacementProperty, HoldsOnInputsMadeAtRandom) {
  int placed = 0;
  for (uint32_t seed = 0; seed < kInputs && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(base::str_cat("seed ", seed));
    const PlacementInput input = Maker(seed).input();
    const Placement placement = place(input);
    EXPECT_EQ(text_of(placement), text_of(place(input)));
    expect_reasons(input, placement);
    if (!placement.status.ok()) continue;
    ++placed;
    expect_possible(input, placement);
    expect_no_silent_cpu(input, placement);
  }
  // Else the inputs say nothing.
  EXPECT_GT(placed, kInputs / 5);
  EXPECT_LT(placed, kInputs * 4 / 5);
}

// Engines come in the order of their registration, which counts where all else is equal; with
// scores that all differ the order of what was asked first must not.
TEST(PlacementProperty, TheOrderOfTheCandidatesDoesNotCount) {
  for (uint32_t seed = 0; seed < kInputs && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(base::str_cat("seed ", seed));
    Maker maker(seed);
    PlacementInput input = maker.input();
    for (size_t i = 0; i < input.candidates.size(); ++i) {
      input.candidates[i].verdict.score = static_cast<int32_t>(1 << (i % 24));
      input.candidates[i].measured_ns = 0;
    }
    if (input.candidates.size() > 24) continue;
    const Placement placement = place(input);
    maker.shuffle(input.candidates);
    const Placement again = place(input);
    EXPECT_EQ(placement.status.code(), again.status.code());
    EXPECT_EQ(placement.engine, again.engine);
    EXPECT_EQ(placement.offer, again.offer);
    ASSERT_EQ(placement.instances.size(), again.instances.size());
    for (size_t i = 0; i < again.instances.size(); ++i) {
      EXPECT_EQ(placement.instances[i].device, again.instances[i].device);
    }
  }
}

}  // namespace
}  // namespace supernova::engine
