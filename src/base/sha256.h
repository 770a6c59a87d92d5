// SHA-256 (FIPS 180-4) over bytes as they come, by OpenSSL. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

struct evp_md_ctx_st;

namespace supernova::base {

class Sha256Sum {
 public:
  Sha256Sum();
  void add(const void* data, size_t size);
  // Once. Nothing when OpenSSL computes none here.
  std::optional<std::array<unsigned char, 32>> finish();
  // The same as 64 hexadecimal digits; "" when there is none.
  std::string finish_hex();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
  bool ok_ = false;
};

}  // namespace supernova::base
