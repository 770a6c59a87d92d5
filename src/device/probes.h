// What a probe is. The list of all is generated from the folders beside this file, each of which
// has `Probe make_probe()`.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "device/device.h"

namespace supernova::device {

// What a vendor's library says of one device (or of itself): texts by name.
using Record = std::map<std::string, std::string, std::less<>>;

struct LibraryAnswer {
  enum class Outcome {
    kNotAsked,  // recorded trees, and programs that can't ask
    kAnswered,
    kAbsent,   // there is no such library; `reason` names it
    kRefused,  // it answers with an error: `reason`
    kCrashed,  // `reason` says how
    kTimedOut  // `reason` says after how long
  };
  Outcome outcome = Outcome::kNotAsked;
  std::string reason;
  std::vector<Record> records;
};

// What probes look at.
struct System {
  std::string root = "/";
  // Has the probe's own library asked, in a process that may crash or hang; empty = can't be asked.
  std::function<LibraryAnswer()> ask_library;

  bool is_this_machine() const { return root == "/"; }
  LibraryAnswer ask() const { return ask_library ? ask_library() : LibraryAnswer(); }
};

// Both functions are stateless and may be called from any thread.
struct Probe {
  std::string_view name;  // of its folder
  sn_device_kind kind = SN_DEVICE_CPU;
  // Appends what it finds. Ids and ordinals are given by discover().
  void (*look)(const System& system, std::vector<Device>& devices) = nullptr;
  // Asks the vendor's library, in a process of its own; null = has none.
  LibraryAnswer (*ask_library)() = nullptr;
};

void list_probes(std::vector<Probe>& probes);

// discover() with the probes given; `late` more than the time limit is the time to come back.
std::vector<Device> discover_with(const std::vector<Probe>& probes, const std::string& sysroot,
                                  const DiscoverOptions& options);
// Sorts by kind and address, and gives ordinals and ids. Pure.
void number_devices(std::vector<Device>& devices);

}  // namespace supernova::device
