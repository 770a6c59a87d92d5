// What the runtime's reports of failures on a device mean to whoever asked. By their texts: the
// runtime has one code for nearly all of them, and its own for failures of a provider (EP_FAIL)
// means the model more often than the device. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/onnxruntime/providers/provider.h"

namespace supernova::engine::onnxruntime {

enum class Failure {
  kNotOfDevice,  // of the model, the request, an option; or the runtime's refusal
  kOutOfMemory,  // of the device
  kLost,         // nothing runs on the device any more, in this process at least
  kUnclear       // one or the other: a trial of the device tells (try_device.h)
};

Failure failure_of(const base::Status& status);

// What a provider said when a session was opened, without the runtime's wrapping, which loses its
// code: an option that it refuses is INVALID_ARGUMENT. Others as they are.
base::Status providers_own(const base::Status& status);

// What is told to whoever asked: RESOURCE_EXHAUSTED for no memory, UNAVAILABLE for a device that is
// lost, INTERNAL where it was unclear and the device is not lost, else the code it came with. Names
// provider and device.
base::Status device_failure(const Provider& provider, const base::Status& status, Failure failure);

// What a user can act on of a report that is about files and lines, with the remedy where there is
// one.
std::string plain_report(std::string_view report);

}  // namespace supernova::engine::onnxruntime
