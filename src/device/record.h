// Reads what a vendor's library said. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "device/probes.h"

namespace supernova::device {

// "" and 0 when it did not say it.
inline std::string text_in(const Record& record, std::string_view key) {
  const auto it = record.find(key);
  return it != record.end() ? it->second : "";
}
inline uint64_t number_in(const Record& record, std::string_view key) {
  const auto it = record.find(key);
  uint64_t value = 0;
  const bool is_number =
      it != record.end() && base::parse_whole(std::string_view(it->second), value);
  return is_number ? value : 0;
}

}  // namespace supernova::device
