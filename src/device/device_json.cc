#include <cstdio>

#include "base/json_writer.h"
#include "device/device.h"

namespace supernova::device {
namespace {

// Writes the members of one object.
class Members {
 public:
  void text(std::string_view key, std::string_view value) {
    name(key);
    value.empty() ? void(out_ += "null") : base::append_json_string(out_, value);
  }
  void number(std::string_view key, uint64_t value, bool known) {
    name(key);
    known ? base::append_json_number(out_, value) : void(out_ += "null");
  }
  void fraction(std::string_view key, double value, bool known) {
    name(key);
    known ? base::append_json_number(out_, value) : void(out_ += "null");
  }
  void list(std::string_view key, const std::vector<std::string>& values) {
    name(key);
    out_ += '[';
    for (const std::string& value : values) {
      if (out_.back() != '[') out_ += ',';
      base::append_json_string(out_, value);
    }
    out_ += ']';
  }
  void flag(std::string_view key, bool value) {
    name(key);
    out_ += value ? "true" : "false";
  }
  std::string done() && { return std::move(out_) + '}'; }

 private:
  void name(std::string_view key) {
    if (out_.back() != '{') out_ += ',';
    base::append_json_string(out_, key);
    out_ += ':';
  }
  std::string out_ = "{";
};

// As lspci and lsusb write them; "" = not known.
std::string hex_id(uint32_t id, bool known) {
  char text[16];
  std::snprintf(text, sizeof(text), "%04x", id);
  return known ? text : "";
}

}  // namespace

std::string device_json(const std::vector<Device>& devices, const Device& device) {
  const bool has_ids = device.vendor_id != 0;
  const bool is_cpu = device.cores > 0;
  Members members;
  members.text("id", device.id);
  members.text("kind", device.kind);
  members.number("ordinal", static_cast<uint64_t>(device.ordinal), true);
  members.text("model", device.model);
  members.text("state", device_state_name(device.state));
  members.text("engine", device.engine);
  members.text("missing", device.missing);
  members.text("health", device.health);
  members.text("address", device.address);
  members.list("same_as", same_hardware(devices, device));
  members.flag("emulated", is_emulated(device));
  members.text("uuid", device.uuid);
  members.text("vendor_id", hex_id(device.vendor_id, has_ids));
  members.text("product_id", hex_id(device.product_id, has_ids));
  members.text("driver", device.driver);
  members.text("driver_version", device.driver_version);
  members.list("nodes", device.nodes);
  members.number("memory_bytes", device.memory_bytes, device.memory_bytes > 0);
  members.number("memory_free_bytes", device.memory_free_bytes, device.memory_free_bytes > 0);
  members.number("cores", static_cast<uint64_t>(device.cores), is_cpu);
  members.fraction("cores_usable", device.cores_usable, is_cpu);
  members.list("features", device.features);
  members.number("numa_nodes", static_cast<uint64_t>(device.numa_nodes), device.numa_nodes > 0);
  members.number("numa_node", static_cast<uint64_t>(device.numa_node), device.numa_node >= 0);
  return std::move(members).done();
}

std::string devices_json(const std::vector<Device>& devices) {
  std::string out = "{\"devices\":[";
  for (const Device& device : devices) {
    if (out.back() != '[') out += ',';
    out += device_json(devices, device);
  }
  return out + "]}";
}

}  // namespace supernova::device
