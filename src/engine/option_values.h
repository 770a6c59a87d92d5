// Values of options, read alike wherever they arrive: in the server and, from the same texts, in
// engines. All in this header, because engines lean on nothing else of this folder.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/option_names.h"

namespace supernova::engine {

// `what` names the option in the error.
inline base::Result<bool> parse_flag(std::string_view what, std::string_view value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return absl::InvalidArgumentError(
      base::str_cat(what, " is '", value, "'; it must be 'true' or 'false'"));
}

inline base::Result<bool> flag_option(const std::map<std::string, std::string>& options,
                                      const std::string& key, bool otherwise) {
  const auto found = options.find(key);
  return found == options.end() ? otherwise
                                : parse_flag(base::str_cat("option ", key), found->second);
}

// strict_device, default false.
inline base::Result<bool> is_strict(const std::map<std::string, std::string>& options) {
  return flag_option(options, kStrictDevice, false);
}

}  // namespace supernova::engine
