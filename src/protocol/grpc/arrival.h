// Where every call but ModelInfer arrives, whatever its method.
#pragma once

#include "protocol/grpc/worker.h"

namespace supernova::protocol::grpc {

// On the worker's thread; outlived by what it has asked for only when the server ends.
class Arrival {
 public:
  explicit Arrival(Worker& worker) : worker_(worker) { grpc_call_details_init(&details_); }
  ~Arrival() { grpc_call_details_destroy(&details_); }
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;

  void ask();

 private:
  void arrived(bool ok);

  Worker& worker_;
  ServerCall call_;
  grpc_call_details details_;
  Reports<Arrival, &Arrival::arrived> arrived_{*this};
};

}  // namespace supernova::protocol::grpc
