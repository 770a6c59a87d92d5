// Several requests as one, and its response taken apart again. Requests are joined along the first
// dimension of every tensor. Stateless, thread-safe.
#pragma once

#include <span>
#include <vector>

#include "tensor/request.h"

namespace supernova::schedule {

// What only the queue reads: requests that differ in it are still the same question.
bool is_queue_parameter(std::string_view name);

// The size of the first dimension that all inputs share; 0 = there is none, so that the request
// can't be joined with another.
size_t rows_of(const tensor::Request& request);
// Whether two requests with rows may be in one run: the same inputs in all but the first dimension,
// the same outputs, the same parameters.
bool joinable(const tensor::Request& a, const tensor::Request& b);

// Memory for joined inputs, used again while runs follow each other. Thread-safe; what was given
// out may outlive it.
class JoinMemory {
 public:
  JoinMemory();
  // Null data() when there is no memory.
  tensor::Buffer get(size_t size);
  // Frees what is not in use.
  void trim();

 private:
  struct Shelf;
  std::shared_ptr<Shelf> shelf_;
};

// One request of joinable ones (at least one): their inputs one after the other, in one copy; id,
// deadline, and cancellation are nobody's.
base::Result<tensor::Request> join(std::span<const tensor::Request* const> requests,
                                   JoinMemory& memory);
// The outputs of each request, of rows[i] items, as parts of the response's memory. An error says
// which output does not have the sum of rows as its first dimension.
base::Result<std::vector<std::vector<tensor::Tensor>>> split(const tensor::Response& response,
                                                             std::span<const size_t> rows);

}  // namespace supernova::schedule
