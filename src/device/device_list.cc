#include "device/device_list.h"

#include <future>

namespace supernova::device {

DeviceList::DeviceList() : DeviceList([] { return discover("/"); }) {}

DeviceList::DeviceList(Look look, std::chrono::milliseconds lasts)
    : look_(std::move(look)), lasts_(lasts) {}

DeviceList::~DeviceList() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (worker_.joinable()) worker_.join();
}

DeviceList::Snapshot DeviceList::get() {
  {
    std::lock_guard lock(mutex_);
    if (last_ != nullptr) return last_;
  }
  std::promise<Snapshot> found;
  get(false, [&found](const Snapshot& snapshot) { found.set_value(snapshot); });
  return found.get_future().get();
}

void DeviceList::forget() {
  std::lock_guard lock(mutex_);
  last_.reset();
}

void DeviceList::get(bool anew, Done done) {
  std::unique_lock lock(mutex_);
  const bool good = last_ != nullptr && std::chrono::steady_clock::now() - looked_at_ < lasts_;
  if (good && !anew) {
    const Snapshot last = last_;
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
    const auto found = std::make_shared<const Devices>(stopping ? Devices() : look_());
    lock.lock();
    last_ = found;
    looked_at_ = began;
    lock.unlock();
    for (Done& done : served) done(found);
    lock.lock();
  }
  working_ = false;
}

Device plain_cpu() {
  Device cpu;
  cpu.id = cpu.kind = std::string(device_kind_name(SN_DEVICE_CPU));
  return cpu;
}

}  // namespace supernova::device
