// Weights that are kept apart from their model are opened by engines as files: they map them, and
// what lies in a cache on disk need not be in memory.
#pragma once

#include <memory>
#include <string>

#include "tensor/artefact.h"

namespace supernova::compile {

// Has the bytes of an artefact whose weights lie in the entry `file` refer to that, instead of
// tensor::kWeightsPlace; the artefact's path becomes its folder. As long as somebody holds the
// weights, `keeper` is held, too, which keeps the file there.
base::Status place_weights(tensor::Artefact& artefact, const std::string& file,
                           std::shared_ptr<const void> keeper);

}  // namespace supernova::compile
