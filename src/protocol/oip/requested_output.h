// An output that an inference request asks for.
#pragma once

#include <string>

#include "protocol/oip/infer_request.h"
#include "protocol/oip/json_reader.h"

namespace supernova::protocol::oip {

// Reads the object that comes next; `place` names it in messages until its own name is known.
// INVALID_ARGUMENT for parameters that exclude each other.
base::Status read_requested_output(JsonReader& reader, const std::string& place,
                                   const SharedMemoryPart& shared_memory, OutputForm::Listed& form,
                                   std::vector<tensor::RequestedOutput>& outputs);

}  // namespace supernova::protocol::oip
