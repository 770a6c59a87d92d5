// supernova devices: what hardware is here and which engine would drive it.
#include <cstdio>
#include <filesystem>

#include "command.h"
#include "engine/ask_engines.h"
#include "engine/worker/worker_engine.h"

namespace supernova::apps {
namespace {

using device::Device;
using device::DeviceState;

constexpr size_t kLabelWidth = 21;
constexpr size_t kLineWidth = 100;
constexpr char kThisMachine[] = "/";

struct DevicesOptions {
  bool json = false;
  std::string sysroot = kThisMachine;
  double timeout_seconds = 5;
  std::vector<std::string> engine_libraries;
};

// `  label              text`, broken between words; nothing without a text.
void print_line(std::string_view label, std::string_view text) {
  while (!text.empty()) {
    size_t end = text.size();
    const size_t room = kLineWidth - kLabelWidth - 2;
    if (end > room) {
      end = text.rfind(' ', room);
      if (end == std::string_view::npos || end == 0) end = std::min(text.find(' '), text.size());
    }
    std::printf("  %-*.*s%.*s\n", static_cast<int>(kLabelWidth), static_cast<int>(label.size()),
                label.data(), static_cast<int>(end), text.data());
    text.remove_prefix(std::min(end + 1, text.size()));
    label = {};
  }
}

// One thing that is missing a line.
void print_missing(std::string_view missing) {
  std::string_view label = "missing";
  while (!missing.empty()) {
    const size_t end = std::min(missing.find("; "), missing.size());
    print_line(label, base::str_cat("- ", missing.substr(0, end)));
    missing.remove_prefix(std::min(end + 2, missing.size()));
    label = {};
  }
}

std::string gibibytes(uint64_t bytes) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

std::string hardware_ids(const Device& device) {
  char text[64] = "";
  if (device.vendor_id != 0) {
    std::snprintf(text, sizeof(text), "%04x:%04x", device.vendor_id, device.product_id);
  }
  return text;
}

// Nodes that are missing, or not in this container, are marked.
std::string node_names(const Device& device, const std::string& sysroot) {
  std::vector<std::string> names;
  for (const std::string& node : device.nodes) {
    std::error_code error;
    const bool is_there = std::filesystem::exists(base::str_cat(sysroot, node), error);
    names.push_back(is_there ? node : node + " (missing)");
  }
  return base::str_join(names, " ");
}

void print_device(const std::vector<Device>& all, const Device& device,
                  const std::string& sysroot) {
  const bool recorded = sysroot != kThisMachine;
  std::printf("%s  %s%s\n", device.id.c_str(),
              device.model.empty() ? device.kind.c_str() : device.model.c_str(),
              device::is_emulated(device) ? " (emulated on the CPU)" : "");
  const std::string_view state = device::device_state_name(device.state);
  if (device.state != DeviceState::kUsable) print_line("state", state);
  print_line(device.state != DeviceState::kUsable ? "would run models by"
             : recorded                           ? "may run models by"
                                                  : "runs models by",
             device.engine);
  print_missing(device.missing);
  print_line("health", device.health);
  print_line("address", device.address);
  print_line("same hardware as", base::str_join(device::same_hardware(all, device), ", "));
  print_line("vendor:product", hardware_ids(device));
  print_line("uuid", device.uuid);
  if (!device.driver.empty()) {
    const std::string_view space = device.driver_version.empty() ? "" : " ";
    print_line("driver", base::str_cat(device.driver, space, device.driver_version));
  }
  print_line("nodes", node_names(device, sysroot));
  if (device.cores > 0) {
    print_line("cores", base::str_cat(device.cores_usable, " of ", device.cores,
                                      " usable (affinity, cgroup)"));
  }
  if (device.memory_bytes > 0) {
    const std::string free = device.memory_free_bytes > 0
                                 ? base::str_cat(", ", gibibytes(device.memory_free_bytes), " free")
                                 : "";
    print_line("memory", gibibytes(device.memory_bytes) + free);
  }
  if (device.numa_nodes > 0) print_line("NUMA nodes", base::str_cat(device.numa_nodes));
  if (device.numa_node >= 0) print_line("on NUMA node", base::str_cat(device.numa_node));
  print_line(device.cores > 0 ? "instruction sets" : "features",
             base::str_join(device.features, " "));
}

void print_text(const std::vector<Device>& devices, const std::string& sysroot) {
  for (const Device& device : devices) print_device(devices, device, sysroot);
}

base::Status devices(const DevicesOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_directory(options.sysroot, error)) {
    return absl::NotFoundError(base::str_cat("--sysroot '", options.sysroot, "' is not a folder"));
  }
  const std::filesystem::directory_iterator first(options.sysroot, error);
  if (error) {
    return absl::PermissionDeniedError(
        base::str_cat("--sysroot '", options.sysroot, "' can't be read: ", error.message()));
  }
  device::DiscoverOptions discover;
  discover.time_limit =
      std::chrono::milliseconds(static_cast<int64_t>(options.timeout_seconds * 1000));
  std::vector<Device> found;
  if (options.sysroot != kThisMachine) {
    // What engines this machine has says nothing of another.
    found = device::discover(options.sysroot, discover);
  } else {
    engine::Catalogue engines;
    engines.use_workers(&engine::worker::worker_engine_entry, {});  // libraries may crash
    engine::register_builtin_engines(engines);
    for (const std::string& library : options.engine_libraries) {
      SN_TRY(engines.add_library(library, {}));
    }
    found = devices_of_this_machine(engines, discover);
  }
  if (found.empty()) {
    std::fprintf(stderr,
                 "no device found: '%s' has no proc/cpuinfo that can be read, and no device on "
                 "sys/bus and in dev; is it a copy of a system's folders?\n",
                 options.sysroot.c_str());
  }
  if (options.json) {
    std::printf("%s\n", device::devices_json(found).c_str());
  } else {
    print_text(found, options.sysroot);
  }
  return {};
}

}  // namespace

std::vector<Device> devices_of_this_machine(engine::Catalogue& engines,
                                            const device::DiscoverOptions& options) {
  std::vector<Device> found = device::discover("/", options);
  engine::ask_engines(engines, found);
  return found;
}

void add_devices(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DevicesOptions>();
  CLI::App* command = app.add_subcommand("devices", "Show what hardware is here");
  command->add_flag("--json", options->json, "Print JSON");
  command->add_option("--sysroot", options->sysroot, "Look below this folder instead of /")
      ->type_name("DIR")
      ->capture_default_str();
  command
      ->add_option("--timeout", options->timeout_seconds,
                   "How long a vendor's library may take to answer")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 100.0))
      ->capture_default_str();
  command
      ->add_option("--engine-library", options->engine_libraries,
                   "Shared library of an out-of-tree engine; may be repeated")
      ->type_name("[NAME=]FILE")
      ->expected(1)
      ->take_all();
  command->callback([options, &exit_code] { exit_code = finish(devices(*options)); });
}

}  // namespace supernova::apps
