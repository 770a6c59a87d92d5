// Where a tensor lies in shared memory, as the parameters of an input or output say it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tensor/buffer.h"
#include "tensor/request.h"

namespace supernova::protocol::oip {

// Finds a part of a registered region. Empty = shared memory is not to be had.
using SharedMemoryPart = std::function<base::Result<tensor::Buffer>(
    std::string_view region, uint64_t offset, uint64_t byte_size)>;

class SharedMemoryPlace {
 public:
  // Takes a parameter if it is one of shared memory; INVALID_ARGUMENT when its value is wrong.
  base::Status take(std::string_view key, const tensor::Parameter& value);
  bool given() const { return has_region_; }
  // INVALID_ARGUMENT for a place that is not said completely, else what `find` says.
  base::Result<tensor::Buffer> resolve(const SharedMemoryPart& find) const;
  // INVALID_ARGUMENT when there is an offset or size and no region.
  base::Status check() const;

 private:
  std::string region_;
  uint64_t offset_ = 0;
  uint64_t byte_size_ = 0;
  bool has_region_ = false;
  bool has_offset_ = false;
  bool has_size_ = false;
};

}  // namespace supernova::protocol::oip
