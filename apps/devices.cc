// supernova devices: what hardware is here and which engine would drive it.
#include <cstdio>
#include <filesystem>

#include "base/json_writer.h"
#include "command.h"
#include "device/device.h"

namespace supernova::apps {
namespace {

using device::Device;

struct DevicesOptions {
  bool json = false;
  std::string sysroot = "/";
};

void print_text(const std::vector<Device>& devices) {
  for (const Device& d : devices) {
    std::printf("%s  %s\n", d.id.c_str(), d.model.empty() ? d.kind.c_str() : d.model.c_str());
    if (d.state == device::DeviceState::kUsable) {
      std::printf("  runs models with   %s\n", d.engine.c_str());
    } else {
      std::printf("  not usable         %s\n", d.missing.c_str());
    }
    if (d.cores > 0) {
      std::printf("  cores              %g of %d usable (affinity, cgroup)\n", d.cores_usable,
                  d.cores);
    }
    if (d.memory_bytes > 0) {
      std::printf("  memory             %.1f GiB\n",
                  static_cast<double>(d.memory_bytes) / (1 << 30));
    }
    if (d.numa_nodes > 0) std::printf("  NUMA nodes         %d\n", d.numa_nodes);
    if (!d.features.empty()) {
      std::printf("  instruction sets   %s\n", base::str_join(d.features, " ").c_str());
    }
  }
  if (devices.empty()) std::printf("no device found\n");
}

void print_json(const std::vector<Device>& devices) {
  using base::append_json_number;
  using base::append_json_string;
  std::string out = "{\"devices\":[";
  for (const Device& d : devices) {
    if (out.back() != '[') out += ',';
    out += "{\"id\":";
    append_json_string(out, d.id);
    out += ",\"kind\":";
    append_json_string(out, d.kind);
    out += ",\"model\":";
    append_json_string(out, d.model);
    out += d.state == device::DeviceState::kUsable ? ",\"state\":\"usable\""
                                                   : ",\"state\":\"unusable\"";
    out += ",\"engine\":";
    d.engine.empty() ? void(out += "null") : append_json_string(out, d.engine);
    if (!d.missing.empty()) {
      out += ",\"missing\":";
      append_json_string(out, d.missing);
    }
    out += ",\"memory_bytes\":";
    append_json_number(out, d.memory_bytes);
    out += ",\"cores\":";
    append_json_number(out, static_cast<int64_t>(d.cores));
    out += ",\"cores_usable\":";
    append_json_number(out, d.cores_usable);
    out += ",\"numa_nodes\":";
    append_json_number(out, static_cast<int64_t>(d.numa_nodes));
    out += ",\"features\":[";
    for (const std::string& feature : d.features) {
      if (out.back() != '[') out += ',';
      append_json_string(out, feature);
    }
    out += "]}";
  }
  std::printf("%s]}\n", out.c_str());
}

base::Status devices(const DevicesOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_directory(options.sysroot, error)) {
    return absl::NotFoundError(base::str_cat("--sysroot '", options.sysroot, "' is not a folder"));
  }
  const std::vector<Device> found = device::discover(options.sysroot);
  options.json ? print_json(found) : print_text(found);
  return {};
}

}  // namespace

void add_devices(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DevicesOptions>();
  CLI::App* command = app.add_subcommand("devices", "Show what hardware is here");
  command->add_flag("--json", options->json, "Print JSON");
  command->add_option("--sysroot", options->sysroot, "Look below this folder instead of /")
      ->type_name("DIR")
      ->capture_default_str();
  command->callback([options, &exit_code] { exit_code = finish(devices(*options)); });
}

}  // namespace supernova::apps
