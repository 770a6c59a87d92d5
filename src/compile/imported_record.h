// An ImportedModel without its bytes, as a record. Paths are kept relative to the model's folder,
// so that a model that was moved or copied is still the same. The payload of the entry that it
// belongs to is the model's bytes, and where its weights are apart, these first, behind a gap that
// puts them at tensor::kWeightsBase of the file.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "compile/entry_file.h"
#include "tensor/artefact.h"

namespace supernova::compile {

inline constexpr uint64_t kWeightsGap = tensor::kWeightsBase - kEntryHeaderSize;

std::string write_imported(const tensor::ImportedModel& model, const std::string& file);
// `file` as it is called now; the artefact's bytes and weights are parts of `payload`. Refuses a
// record that is cut, too long, of unknown datatypes or of another payload.
base::Result<tensor::ImportedModel> read_imported(std::string_view record, const std::string& file,
                                                  const tensor::Buffer& payload);

// The folder that the file or folder `file` lies in; "." for a bare name.
std::string folder_of(const std::string& file);

}  // namespace supernova::compile
