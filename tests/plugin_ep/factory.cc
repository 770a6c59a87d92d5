// What the runtime finds in the library: one factory, which brings its own device along.
#include <cctype>
#include <sstream>
#include <string>

#include "provider.h"

namespace plugin_ep {
namespace {

// The runtime keeps a provider's options below its name in small letters.
std::string prefix() {
  std::string prefix = "ep.";
  for (const char letter : std::string(kName)) {
    prefix += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return prefix + ".";
}

OrtStatus* refuse(const std::string& key, const std::string& value, const char* wanted) {
  const std::string why =
      "the option '" + key + "' of the test provider is '" + value + "'; " + wanted;
  return api->CreateStatus(ORT_INVALID_ARGUMENT, why.c_str());
}

template <typename Number>
OrtStatus* read_number(const std::string& key, const std::string& value, Number& number) {
  std::istringstream text(value);
  if (text >> number && text.eof()) return nullptr;
  return refuse(key, value, "it must be a number");
}

OrtStatus* read(const std::string& key, const std::string& value, Settings& settings) {
  if (key == "memory_limit") return read_number(key, value, settings.memory_limit);
  if (key == "lose_after") return read_number(key, value, settings.lose_after);
  if (key == "break_after") return read_number(key, value, settings.break_after);
  if (key == "fail_on") return read_number(key, value, settings.fail_on.emplace());
  if (key != "leave") return refuse(key, value, "there is no such option");
  settings.leave = value;
  return nullptr;
}

OrtStatus* read(const OrtSessionOptions* options, Settings& settings) {
  OrtKeyValuePairs* entries = nullptr;
  if (OrtStatus* status = api->GetSessionOptionsConfigEntries(options, &entries)) return status;
  const char* const* keys = nullptr;
  const char* const* values = nullptr;
  size_t count = 0;
  api->GetKeyValuePairs(entries, &keys, &values, &count);
  OrtStatus* status = nullptr;
  for (size_t i = 0; i < count && status == nullptr; ++i) {
    const std::string key = keys[i];
    if (key.rfind(prefix(), 0) == 0) {
      status = read(key.substr(prefix().size()), values[i], settings);
    }
  }
  api->ReleaseKeyValuePairs(entries);
  return status;
}

class Factory : public OrtEpFactory {
 public:
  Factory() : OrtEpFactory{} {
    ort_version_supported = ORT_API_VERSION;
    GetName = [](const OrtEpFactory*) noexcept { return kName; };
    GetVendor = [](const OrtEpFactory*) noexcept { return kVendor; };
    GetVendorId = [](const OrtEpFactory*) noexcept { return kVendorId; };
    GetVersion = [](const OrtEpFactory*) noexcept { return "1.0.0"; };
    GetSupportedDevices = &devices;
    CreateEp = &create;
    ReleaseEp = [](OrtEpFactory*, OrtEp* ep) noexcept { delete static_cast<Provider*>(ep); };
    CreateAllocator = &allocator;
    ReleaseAllocator = [](OrtEpFactory*, OrtAllocator* memory) noexcept {
      delete static_cast<Memory*>(memory);
    };
    CreateDataTransfer = [](OrtEpFactory* self, OrtDataTransferImpl** out) noexcept {
      *out = make_data_transfer(static_cast<Factory*>(self)->memory_);
      return static_cast<OrtStatus*>(nullptr);
    };
    IsStreamAware = [](const OrtEpFactory*) noexcept { return false; };
  }
  Factory(const Factory&) = delete;
  Factory& operator=(const Factory&) = delete;
  ~Factory() {
    if (memory_ != nullptr) api->ReleaseMemoryInfo(memory_);
    if (hardware_ != nullptr) ep_api->ReleaseHardwareDevice(hardware_);
  }

  OrtStatus* prepare() {
    if (OrtStatus* status = api->CreateMemoryInfo_V2(kName, OrtMemoryInfoDeviceType_NPU, kVendorId,
                                                     0, OrtDeviceMemoryType_DEFAULT, 0,
                                                     OrtDeviceAllocator, &memory_)) {
      return status;
    }
    return ep_api->CreateHardwareDevice(OrtHardwareDeviceType_NPU, kVendorId, kProductId, kVendor,
                                        nullptr, &hardware_);
  }

 private:
  static OrtStatus* devices(OrtEpFactory* self, const OrtHardwareDevice* const*, size_t,
                            OrtEpDevice** out, size_t room, size_t* count) noexcept {
    auto& factory = *static_cast<Factory*>(self);
    *count = 0;
    if (room == 0 || !kFindsDevice) return nullptr;
    if (OrtStatus* status =
            ep_api->CreateEpDevice(&factory, factory.hardware_, nullptr, nullptr, &out[0])) {
      return status;
    }
    *count = 1;
    return ep_api->EpDevice_AddAllocatorInfo(out[0], factory.memory_);
  }

  static OrtStatus* create(OrtEpFactory* self, const OrtHardwareDevice* const*,
                           const OrtKeyValuePairs* const*, size_t, const OrtSessionOptions* options,
                           const OrtLogger*, OrtEp** ep) noexcept {
    Settings settings;
    if (OrtStatus* status = read(options, settings)) return status;
    auto& factory = *static_cast<Factory*>(self);
    *ep = new Provider(std::move(settings), factory.presence_, factory.memory_);
    return nullptr;
  }

  static OrtStatus* allocator(OrtEpFactory* self, const OrtMemoryInfo*, const OrtKeyValuePairs*,
                              OrtAllocator** out) noexcept {
    *out = new Memory(static_cast<Factory*>(self)->memory_, 0);
    return nullptr;
  }

  Presence presence_;
  OrtMemoryInfo* memory_ = nullptr;
  OrtHardwareDevice* hardware_ = nullptr;
};

}  // namespace
}  // namespace plugin_ep

extern "C" {

__attribute__((visibility("default"))) OrtStatus* CreateEpFactories(const char*,
                                                                    const OrtApiBase* base,
                                                                    const OrtLogger*,
                                                                    OrtEpFactory** factories,
                                                                    size_t room, size_t* count) {
  plugin_ep::api = base->GetApi(ORT_API_VERSION);
  plugin_ep::ep_api = plugin_ep::api->GetEpApi();
  *count = 0;
  if (room == 0) return nullptr;
  auto* factory = new plugin_ep::Factory;
  if (OrtStatus* status = factory->prepare()) {
    delete factory;
    return status;
  }
  factories[0] = factory;
  *count = 1;
  return nullptr;
}

__attribute__((visibility("default"))) OrtStatus* ReleaseEpFactory(OrtEpFactory* factory) {
  delete static_cast<plugin_ep::Factory*>(factory);
  return nullptr;
}
}
