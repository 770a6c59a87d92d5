// What a principal may do: APIs on models. Immutable values; thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/access.h"

namespace supernova::service {

struct Grant {
  uint32_t apis = 0;                // a bit per Api
  std::vector<std::string> models;  // "name", "prefix*", "*"; none = calls about no model only

  static uint32_t bit(Api api) { return uint32_t{1} << static_cast<unsigned>(api); }
};

class Grants {
 public:
  explicit Grants(std::vector<Grant> own, std::vector<std::shared_ptr<const Grants>> included = {})
      : own_(std::move(own)), included_(std::move(included)) {}

  // As check_right(): `model` "" asks for the API on any model.
  bool allows(Api api, std::string_view model) const;

 private:
  std::vector<Grant> own_;
  std::vector<std::shared_ptr<const Grants>> included_;
};

}  // namespace supernova::service
