// Options as this engine reads them.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace supernova::engine::onnxruntime {

using Options = std::map<std::string, std::string>;

// "" when it is not given.
inline std::string_view option(const Options& options, const std::string& key) {
  const auto found = options.find(key);
  return found == options.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace supernova::engine::onnxruntime
