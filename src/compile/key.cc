#include "compile/key.h"

#include "base/text.h"

namespace supernova::compile {

KeyBuilder& KeyBuilder::add(std::string_view part) {
  const std::string size = base::str_cat(part.size(), ":");
  sum_.add(size.data(), size.size());
  sum_.add(part.data(), part.size());
  return *this;
}

KeyBuilder& KeyBuilder::add(const std::map<std::string, std::string>& options) {
  add(base::str_cat(options.size()));
  for (const auto& [key, value] : options) add(key).add(value);
  return *this;
}

}  // namespace supernova::compile
