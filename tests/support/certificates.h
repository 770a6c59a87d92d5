// Certificates for tests, made on the spot, so that no key is ever kept.
#pragma once

#include <string>

namespace supernova::test {

struct TestCertificate {
  std::string certificate;  // PEM
  std::string key;          // PEM, elliptic curve P-256
};

struct CertificateSpec {
  std::string common_name = "localhost";
  std::string alternative_names =
      "DNS:localhost,IP:127.0.0.1";  // as OpenSSL's configuration has it
  long valid_from = -3600;           // seconds from now
  long valid_until = 24 * 3600;
  bool is_authority = false;
  const TestCertificate* issuer = nullptr;  // null: it signs itself
};

TestCertificate make_certificate(const CertificateSpec& spec);
std::string encrypt_key(const std::string& key, const std::string& passphrase);

}  // namespace supernova::test
