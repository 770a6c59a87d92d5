// Ownership of OpenSSL's objects and the text of its errors.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace supernova::protocol::tls {

template <auto release>
struct Release {
  template <typename T>
  void operator()(T* object) const {
    release(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Release<BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, Release<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using ContextPtr = std::shared_ptr<SSL_CTX>;
using SslPtr = std::unique_ptr<SSL, Release<SSL_free>>;

// Reads from `text`, which must outlive it.
BioPtr memory_bio(const std::string& text);

// The reason of this thread's latest error; empties its error queue.
std::string take_error();

}  // namespace supernova::protocol::tls
