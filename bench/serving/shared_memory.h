// A tensor that isn't sent: a region of system shared memory with the input in front and room for
// the outputs behind it, and the request that names them.
#pragma once

#include <string>
#include <vector>

#include "load/load.h"

namespace supernova::bench {

class SharedRegion {
 public:
  SharedRegion() = default;
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  // `outputs` say how much room there has to be.
  base::Status make(const Target& target, const std::vector<tensor::Tensor>& inputs,
                    const std::vector<tensor::Tensor>& outputs);
  // Registers the region with a server.
  base::Status introduce(const Target& server) const;
  const std::string& request() const { return request_; }
  // What lies where the outputs are to be.
  std::string outputs() const;

 private:
  std::string key_;  // "" = there is none
  char* memory_ = nullptr;
  size_t size_ = 0;
  size_t outputs_at_ = 0;
  size_t outputs_size_ = 0;
  std::string request_;
};

}  // namespace supernova::bench
