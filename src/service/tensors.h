// What happens to the tensors of a request on their way to the engine and back, beyond being
// checked: shared memory, batch sizes, reshapes, classification.
#pragma once

#include <vector>

#include "base/status.h"
#include "model/model_config.h"
#include "service/shared_memory.h"
#include "tensor/request.h"

namespace supernova::service {

// Inputs that lie in shared memory become private copies; before anything looks at their bytes.
// `shared_memory` may be null. INVALID_ARGUMENT when the bytes are not there or are not as many as
// datatype and shape say.
base::Status fetch_inputs(tensor::Request& request, const SharedMemory* shared_memory);

// The inputs of a validated request as the engine takes them: one batch size, not above the
// configuration's, and the engine's shapes. Returns the batch size; 1 for a model that does not
// batch.
base::Result<uint32_t> shape_inputs(tensor::Request& request, const model::ModelConfig& config);

// Whether what is asked of the outputs can be done at all: before the model is run.
base::Status check_outputs(const std::vector<tensor::RequestedOutput>& wanted,
                           const model::ModelConfig& config);

// Makes the engine's outputs what was asked for: `wanted` has their names in the same order, or is
// empty where nothing but their values is wanted.
// Outputs with a destination are written there, and their buffer is that memory. `shared_memory`
// as above.
base::Status finish_outputs(tensor::Response& response,
                            const std::vector<tensor::RequestedOutput>& wanted,
                            const model::ModelConfig& config, const SharedMemory* shared_memory);

}  // namespace supernova::service
