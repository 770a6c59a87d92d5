// The name of a thing in the cache: SHA-256 over everything that it depends on.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace supernova::compile {

class KeyBuilder {
 public:
  // Each part with its length, so that no two lists of parts read the same.
  KeyBuilder& add(std::string_view part);
  KeyBuilder& add(const std::map<std::string, std::string>& options);
  // 64 hexadecimal digits; "" where OpenSSL computes none. Once.
  std::string finish() { return sum_.finish_hex(); }

 private:
  base::Sha256Sum sum_;
};

}  // namespace supernova::compile
