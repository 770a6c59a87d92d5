#include "support/certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace supernova::test {
namespace {

template <typename T, typename Free>
auto owned(T* object, Free* free) {
  if (object == nullptr) {
    std::fprintf(stderr, "certificates for tests: OpenSSL gave nothing\n");
    std::abort();
  }
  return std::unique_ptr<T, Free*>(object, free);
}

auto memory() { return owned(BIO_new(BIO_s_mem()), BIO_free_all); }

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

auto key_of(const std::string& pem) {
  const auto bio = owned(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free_all);
  return owned(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const auto extension =
      owned(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), X509_EXTENSION_free);
  X509_add_ext(certificate, extension.get(), -1);
}

}  // namespace

TestCertificate make_certificate(const CertificateSpec& spec) {
  const auto key = owned(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const auto certificate = owned(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial));
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), spec.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), spec.valid_until);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.c_str()), -1,
                             -1, 0);
  const TestCertificate* const issuer = spec.issuer;
  const auto issuer_certificate = [&] {
    if (issuer == nullptr) {
      X509_up_ref(certificate.get());
      return owned(certificate.get(), X509_free);
    }
    const auto bio = owned(
        BIO_new_mem_buf(issuer->certificate.data(), static_cast<int>(issuer->certificate.size())),
        BIO_free_all);
    return owned(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  }();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer_certificate.get()));
  add_extension(certificate.get(), issuer_certificate.get(), NID_basic_constraints,
                spec.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add_extension(certificate.get(), issuer_certificate.get(), NID_subject_alt_name,
                spec.alternative_names);
  if (issuer != nullptr) {
    const auto signer = key_of(issuer->key);
    X509_sign(certificate.get(), signer.get(), EVP_sha256());
  } else {
    X509_sign(certificate.get(), key.get(), EVP_sha256());
  }

  const auto certificate_text = memory();
  PEM_write_bio_X509(certificate_text.get(), certificate.get());
  const auto key_text = memory();
  PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate_text.get()), text_of(key_text.get())};
}

std::string encrypt_key(const std::string& key, const std::string& passphrase) {
  const auto plain = key_of(key);
  const auto out = memory();
  PEM_write_bio_PrivateKey(out.get(), plain.get(), EVP_aes_256_cbc(),
                           reinterpret_cast<const unsigned char*>(passphrase.data()),
                           static_cast<int>(passphrase.size()), nullptr, nullptr);
  return text_of(out.get());
}

}  // namespace supernova::test
