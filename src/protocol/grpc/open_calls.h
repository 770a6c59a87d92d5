// The calls that only their clients would end, so that a server that ends can: nobody else would,
// as long as the clients keep them open. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace supernova::protocol::grpc {

class OpenCall {
 public:
  virtual ~OpenCall() = default;
  // Any thread. Ends soon with UNAVAILABLE, after what it owes.
  virtual void drain() = 0;
};

class OpenCalls {
 public:
  void add(const std::shared_ptr<OpenCall>& call) {
    bool draining = false;
    {
      std::lock_guard lock(mutex_);
      std::erase_if(calls_, [](const auto& known) { return known.expired(); });
      calls_.push_back(call);
      draining = draining_;
    }
    if (draining) call->drain();
  }
  // Those that are open, and those to come.
  void drain() {
    std::vector<std::weak_ptr<OpenCall>> calls;
    {
      std::lock_guard lock(mutex_);
      draining_ = true;
      calls.swap(calls_);
    }
    for (const auto& known : calls) {
      if (const auto call = known.lock()) call->drain();
    }
  }

 private:
  std::mutex mutex_;
  bool draining_ = false;
  std::vector<std::weak_ptr<OpenCall>> calls_;
};

}  // namespace supernova::protocol::grpc
