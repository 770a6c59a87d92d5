// A system tree written down as text, as files in a temporary folder:
//
//   # a comment
//   sys/bus/pci/devices/0000:01:00.0/vendor = 0x10de     a file with that and a newline; \n, \0
//   sys/bus/pci/devices/0000:01:00.0/driver -> ../nvidia  a symbolic link
//   dev/nvidia0                                           an empty file
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "device/probes.h"

namespace supernova::test {

class RecordedTree {
 public:
  RecordedTree() {
    static int count = 0;
    root_ = std::filesystem::temp_directory_path() /
            ("supernova-tree-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(root_);
  }
  RecordedTree(const RecordedTree&) = delete;
  RecordedTree& operator=(const RecordedTree&) = delete;
  ~RecordedTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  std::string root() const { return root_.string(); }
  std::filesystem::path path(std::string_view below) const { return root_ / below; }

  // The exact content.
  void write(const std::string& name, std::string_view content) {
    std::filesystem::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
  }
  void link(const std::string& name, const std::string& target) {
    std::filesystem::create_directories(path(name).parent_path());
    std::filesystem::create_symlink(target, path(name));
  }
  void remove(const std::string& name) { std::filesystem::remove_all(path(name)); }

  void add(std::string_view text) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
      line.erase(0, line.find_first_not_of(' '));
      if (line.empty() || line.front() == '#') continue;
      if (const size_t at = line.find(" -> "); at != std::string::npos) {
        link(line.substr(0, at), line.substr(at + 4));
      } else if (const size_t equals = line.find(" = "); equals != std::string::npos) {
        write(line.substr(0, equals), unescaped(line.substr(equals + 3)) + "\n");
      } else {
        write(line, "");
      }
    }
  }
  // A device on the PCI bus; `driver` "" = none is bound.
  void add_pci(const std::string& slot, std::string_view vendor, std::string_view product,
               std::string_view device_class, const std::string& driver) {
    const std::string folder = "sys/bus/pci/devices/" + slot;
    write(folder + "/vendor", std::string(vendor) + "\n");
    write(folder + "/device", std::string(product) + "\n");
    write(folder + "/class", std::string(device_class) + "\n");
    write(folder + "/numa_node", "0\n");
    if (!driver.empty()) link(folder + "/driver", "../../../../bus/pci/drivers/" + driver);
  }
  void add_usb(const std::string& port, std::string_view vendor, std::string_view product, int bus,
               int number, int speed = 5000) {
    const std::string folder = "sys/bus/usb/devices/" + port;
    write(folder + "/idVendor", std::string(vendor) + "\n");
    write(folder + "/idProduct", std::string(product) + "\n");
    write(folder + "/busnum", std::to_string(bus) + "\n");
    write(folder + "/devnum", std::to_string(number) + "\n");
    write(folder + "/speed", std::to_string(speed) + "\n");
  }

  // What one probe finds, with the answer that its library would give.
  std::vector<device::Device> seen_by(const device::Probe& probe,
                                      std::function<device::LibraryAnswer()> ask = {}) const {
    std::vector<device::Device> devices;
    probe.look({root(), std::move(ask)}, devices);
    device::number_devices(devices);
    return devices;
  }

 private:
  static std::string unescaped(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      const bool escape = text[i] == '\\' && i + 1 < text.size();
      if (!escape) {
        out += text[i];
      } else {
        const char c = text[++i];
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c;
      }
    }
    return out;
  }

  std::filesystem::path root_;
};

}  // namespace supernova::test
