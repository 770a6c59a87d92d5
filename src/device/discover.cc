#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "device/bus.h"
#include "device/device.h"
#include "device/library_child.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device {
namespace {

// What a probe has beyond the time limit of its library, for all that it reads.
constexpr std::chrono::seconds kReading{2};

// Shared with threads that may never come back.
struct Looks {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::vector<Device>> found;  // by probe
  std::vector<bool> done;
};

System system_for(const Probe& probe, const std::string& sysroot, const DiscoverOptions& options) {
  System system{sysroot, {}};
  if (!system.is_this_machine() || probe.ask_library == nullptr) return system;
  const auto command =
      options.library_command.empty() ? this_program_as_child() : options.library_command;
  if (command.empty()) return system;
  system.ask_library = [command, name = std::string(probe.name), limit = options.time_limit] {
    return ask_in_child(command, name, limit);
  };
  return system;
}

// Runs on a thread that nobody waits for longer than the limit.
void look(const std::shared_ptr<Looks>& looks, size_t index, const Probe& probe,
          const System& system) {
  std::vector<Device> found;
  try {
    probe.look(system, found);
  } catch (const std::exception& error) {
    Device device = made_device(probe.kind);
    device.state = DeviceState::kNotAnswering;
    device.health = base::str_cat("looking for such devices failed: ", error.what());
    found.push_back(std::move(device));
  }
  std::lock_guard lock(looks->mutex);
  looks->found[index] = std::move(found);
  looks->done[index] = true;
  looks->changed.notify_all();
}

Device late(const Probe& probe, std::chrono::milliseconds limit) {
  Device device = made_device(probe.kind);
  device.state = DeviceState::kNotAnswering;
  device.health =
      base::str_cat("the system did not let such devices be looked for within ",
                    limit.count() / 1000.0, " s: a driver hangs (see the kernel's log)");
  return device;
}

}  // namespace

sn_device to_abi(const Device& device) {
  sn_device out{};
  out.size = sizeof(out);
  out.kind = device.abi_kind;
  out.ordinal = device.ordinal;
  const std::string& identity = !device.address.empty() ? device.address
                                : !device.uuid.empty()  ? device.uuid
                                                        : device.id;
  out.id = identity.c_str();
  out.vendor_id = device.vendor_id;
  out.product_id = device.product_id;
  return out;
}

std::vector<Device> discover_with(const std::vector<Probe>& probes, const std::string& sysroot,
                                  const DiscoverOptions& options) {
  const auto looks = std::make_shared<Looks>();
  looks->found.resize(probes.size());
  looks->done.resize(probes.size(), false);
  const auto limit = options.time_limit + kReading;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (size_t i = 0; i < probes.size(); ++i) {
    const System system = system_for(probes[i], sysroot, options);
    try {
      std::thread([looks, i, probe = probes[i], system] {
        look(looks, i, probe, system);
      }).detach();
    } catch (const std::system_error&) {
      look(looks, i, probes[i], system);  // no thread to be had
    }
  }
  std::vector<Device> devices;
  std::unique_lock lock(looks->mutex);
  for (size_t i = 0; i < probes.size(); ++i) {
    if (looks->changed.wait_until(lock, deadline, [&] { return looks->done[i]; })) {
      for (Device& device : looks->found[i]) devices.push_back(std::move(device));
    } else {
      devices.push_back(late(probes[i], limit));
    }
  }
  lock.unlock();
  number_devices(devices);
  return devices;
}

std::vector<Device> discover(const std::string& sysroot, const DiscoverOptions& options) {
  std::vector<Probe> probes;
  list_probes(probes);
  return discover_with(probes, sysroot, options);
}

std::vector<std::string> same_hardware(const std::vector<Device>& devices, const Device& device) {
  std::vector<std::string> ids;
  for (const Device& other : devices) {
    if (other.id != device.id && !device.address.empty() && other.address == device.address) {
      ids.push_back(other.id);
    }
  }
  return ids;
}

}  // namespace supernova::device
