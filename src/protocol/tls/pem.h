// PEM texts as OpenSSL objects. `file` is only for the error messages.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "protocol/tls/openssl.h"

namespace supernova::protocol::tls {

// All certificates of the text, at least one.
base::Result<std::vector<CertificatePtr>> parse_certificates(const std::string& pem,
                                                             const std::string& file);
base::Result<KeyPtr> parse_key(const std::string& pem, const std::string& file);

// "" while the certificate is valid, else what is wrong and since when: "expired on …".
std::string validity_problem(const X509& certificate);

}  // namespace supernova::protocol::tls
