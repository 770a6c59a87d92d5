// What a completion queue gives back when something that was started with gRPC is over.
#pragma once

namespace supernova::protocol::grpc {

// Its address is the tag. Lives until done() has been called.
class Operation {
 public:
  virtual void done(bool ok) = 0;  // on the thread of the queue; must not throw

 protected:
  ~Operation() = default;
};

// Calls a member function of its owner, which may be gone when it returns.
template <typename Owner, void (Owner::*kDone)(bool ok)>
class Reports final : public Operation {
 public:
  explicit Reports(Owner& owner) : owner_(owner) {}
  void done(bool ok) override { (owner_.*kDone)(ok); }

 private:
  Owner& owner_;
};

}  // namespace supernova::protocol::grpc
