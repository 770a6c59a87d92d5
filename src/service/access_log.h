// A log line for each request, at the level debug.
#pragma once

#include "tensor/request.h"

namespace supernova::service {

// Returns `done` with the writing of the line in front.
tensor::Completion log_access(const tensor::Request& request, tensor::Timing::Point arrived,
                              tensor::Completion done);

}  // namespace supernova::service
