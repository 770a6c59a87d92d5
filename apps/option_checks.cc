#include "option_checks.h"

#include <cstdint>
#include <string>

#include "base/text.h"

namespace supernova::apps {

CLI::Validator byte_size() {
  const CLI::AsSizeValue in_bytes(false);
  const auto read = [in_bytes](std::string& text) -> std::string {
    // CLI11 takes -1 for the largest number there is, and so what does not fit into 64 bits.
    const std::string digits = text.substr(0, text.find_last_of("0123456789") + 1);
    uint64_t number = 0;
    if (!base::parse_whole(digits, number)) {
      return base::str_cat("'", text, "' is no number of bytes, such as 1048576 or 512MiB");
    }
    return in_bytes(text);
  };
  return {read, in_bytes.get_description(), ""};
}

CLI::Validator port() { return CLI::Range(0, 65535); }

CLI::Validator not_empty() {
  const auto check = [](std::string& text) -> std::string {
    return text.empty() ? "it is empty; leave it out to leave it open" : "";
  };
  return {check, "", ""};
}

}  // namespace supernova::apps
