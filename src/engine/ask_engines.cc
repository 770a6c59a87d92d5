#include "engine/ask_engines.h"

#include "base/text.h"

namespace supernova::engine {
namespace {

// Why the engine of that name does not drive the device; "" = it does.
std::string refusal(Catalogue& engines, const std::string& name, const device::Device& device) {
  const auto engine = engines.find(name);
  if (!engine.ok()) return std::string(base::message(engine.status()));
  const auto verdict = (*engine)->can_drive(device::to_abi(device), {});
  if (!verdict.ok()) return std::string(base::message(verdict.status()));
  if (verdict->compatibility != SN_CAN_NOT_RUN) return "";
  return verdict->reason.empty() ? "it does not say why" : verdict->reason;
}

// The first engine but `device.engine` that drives the device; "" = none.
std::string another_engine(Catalogue& engines, const device::Device& device) {
  for (const std::string& name : engines.names()) {
    if (name != device.engine && refusal(engines, name, device).empty()) return name;
  }
  return "";
}

// An engine drives it after all: what else is missing stays.
void drop_no_engine(device::Device& device) {
  if (device.no_engine.empty() || !device.missing.ends_with(device.no_engine)) return;
  device.missing.resize(device.missing.size() - device.no_engine.size());
  if (device.missing.ends_with("; ")) device.missing.resize(device.missing.size() - 2);
  device.no_engine.clear();
  if (device.missing.empty() && device.state == device::DeviceState::kUnusable) {
    device.state = device::DeviceState::kUsable;
  }
}

}  // namespace

void ask_engines(Catalogue& engines, std::vector<device::Device>& devices) {
  for (device::Device& device : devices) {
    const bool has_own = !device.engine.empty();
    const std::string reason = has_own ? refusal(engines, device.engine, device) : "";
    if (has_own && reason.empty()) continue;
    const std::string other = another_engine(engines, device);
    if (!other.empty()) {
      device.engine = other;
      drop_no_engine(device);
    } else if (has_own) {
      if (!device.missing.empty()) device.missing += "; ";
      device.missing +=
          base::str_cat("the engine ", device.engine, " can't drive it yet: ", reason);
      if (device.state == device::DeviceState::kUsable) {
        device.state = device::DeviceState::kUnusable;
      }
    }
  }
}

}  // namespace supernova::engine
