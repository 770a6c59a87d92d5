// An ImportedModel without its bytes, as a record. Paths are kept relative to the model's folder,
// so that a model that was moved or copied is still the same.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "tensor/artefact.h"

namespace supernova::compile {

std::string write_imported(const tensor::ImportedModel& model, const std::string& file);
// `file` as it is called now. Refuses a record that is cut, too long or of unknown datatypes.
base::Result<tensor::ImportedModel> read_imported(std::string_view record, const std::string& file);

// The folder that the file or folder `file` lies in; "." for a bare name.
std::string folder_of(const std::string& file);

}  // namespace supernova::compile
