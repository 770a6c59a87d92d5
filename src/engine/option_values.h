// Values of options, read alike wherever they arrive: in the server and, from the same texts, in
// engines. All in this header, because engines lean on nothing else of this folder.
#pragma once

#include <absl/strings/numbers.h>

#include <algorithm>
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

// intra_op_threads, default 1. 0 = as many as the host has for this, `budget`, which is also the
// most; where that is 0 too, the number stays as it is, and 0 is left to the engine.
inline base::Result<int> intra_op_threads(const std::map<std::string, std::string>& options,
                                          int budget) {
  constexpr int kMost = 1024;
  const auto found = options.find(kIntraOpThreads);
  if (found == options.end()) return 1;
  int threads = 0;
  if (!absl::SimpleAtoi(found->second, &threads) || threads < 0 || threads > kMost) {
    return absl::InvalidArgumentError(base::str_cat(
        "the option ", kIntraOpThreads, " must be a number from 0 (as many as there are ",
        "processors to use) to ", kMost, ", not '", found->second, "'"));
  }
  if (budget <= 0) return threads;
  return threads == 0 ? budget : std::min(threads, budget);
}

// strict_device, default false.
inline base::Result<bool> is_strict(const std::map<std::string, std::string>& options) {
  return flag_option(options, kStrictDevice, false);
}

}  // namespace supernova::engine
