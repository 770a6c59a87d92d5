// The logging extension: the program's log (base/log.h) under the keys of Triton's clients. Safe
// from any thread.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "tensor/request.h"

namespace supernova::service {

// Keys and values of the logging extension: log_file, log_info, log_warning, log_error,
// log_verbose_level (0 = off; any other number is the level debug), log_format ("default",
// "ISO8601").
using LogSettings = std::map<std::string, tensor::Parameter, std::less<>>;

LogSettings current_log_settings();
// All or nothing. INVALID_ARGUMENT names the key that is unknown or whose value is wrong; the file
// can't be changed (UNIMPLEMENTED).
base::Status apply_log_settings(const LogSettings& update);

}  // namespace supernova::service
