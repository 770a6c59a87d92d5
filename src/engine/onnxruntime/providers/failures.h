// What the runtime's reports of failures on a device mean to whoever asked. By their texts: the
// runtime has one code for nearly all of them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/onnxruntime/providers/provider.h"

namespace supernova::engine::onnxruntime {

// A failure on a device: out of its memory (RESOURCE_EXHAUSTED), the device lost (UNAVAILABLE), or
// as it was. Names provider and device.
base::Status device_failure(const Provider& provider, const base::Status& status);

// What a user can act on of a report that is about files and lines, with the remedy where there is
// one.
std::string plain_report(std::string_view report);

}  // namespace supernova::engine::onnxruntime
