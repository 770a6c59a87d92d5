#include "base/sha256.h"

#include <openssl/evp.h>

namespace supernova::base {

Sha256Sum::Sha256Sum() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  ok_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
}

void Sha256Sum::add(const void* data, size_t size) {
  if (ok_ && size > 0) ok_ = EVP_DigestUpdate(context_.get(), data, size) == 1;
}

std::optional<std::array<unsigned char, 32>> Sha256Sum::finish() {
  std::array<unsigned char, 32> sum;
  unsigned int size = 0;
  ok_ = ok_ && EVP_DigestFinal_ex(context_.get(), sum.data(), &size) == 1 && size == sum.size();
  if (!ok_) return std::nullopt;
  return sum;
}

std::string Sha256Sum::finish_hex() {
  std::string text;
  const auto sum = finish();
  if (!sum) return text;
  for (const unsigned char byte : *sum) {
    for (const int shift : {4, 0}) text += "0123456789abcdef"[(byte >> shift) & 15];
  }
  return text;
}

}  // namespace supernova::base
