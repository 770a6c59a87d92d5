#include "engine/device_list.h"

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

}  // namespace

void ask_engines(Catalogue& engines, std::vector<device::Device>& devices) {
  for (device::Device& device : devices) {
    const bool has_own = !device.engine.empty();
    const std::string reason = has_own ? refusal(engines, device.engine, device) : "";
    if (has_own && reason.empty()) continue;
    const std::string other = another_engine(engines, device);
    if (!other.empty()) {
      device.engine = other;
      // That no engine drives it was all that was missing.
      if (!has_own) device.missing.clear();
      if (!has_own && device.state == device::DeviceState::kUnusable) {
        device.state = device::DeviceState::kUsable;
      }
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

DeviceList::DeviceList(Look look, std::chrono::milliseconds lasts)
    : look_(std::move(look)), lasts_(lasts) {}

DeviceList::~DeviceList() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (worker_.joinable()) worker_.join();
}

void DeviceList::get(bool anew, Done done) {
  std::unique_lock lock(mutex_);
  const bool good = last_ != nullptr && std::chrono::steady_clock::now() - looked_at_ < lasts_;
  if (good && !anew) {
    const Devices last = last_;
    lock.unlock();
    return done(last);
  }
  waiting_.push_back(std::move(done));
  if (working_) return;
  if (worker_.joinable()) worker_.join();  // it has nothing left to do
  working_ = true;
  worker_ = std::thread([this] { work(); });
}

void DeviceList::work() {
  std::unique_lock lock(mutex_);
  while (!waiting_.empty()) {
    // Who comes from now on gets the look after this one: it may have begun too early for them.
    std::vector<Done> served = std::move(waiting_);
    waiting_.clear();
    const bool stopping = stopping_;
    lock.unlock();
    const auto began = std::chrono::steady_clock::now();
    const auto found = std::make_shared<const std::vector<device::Device>>(
        stopping ? std::vector<device::Device>() : look_());
    lock.lock();
    last_ = found;
    looked_at_ = began;
    lock.unlock();
    for (Done& done : served) done(found);
    lock.lock();
  }
  working_ = false;
}

}  // namespace supernova::engine
