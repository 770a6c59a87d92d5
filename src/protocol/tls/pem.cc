#include "protocol/tls/pem.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace supernova::protocol::tls {
namespace {

// Never asks at the terminal; remembers that it was asked.
int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::string time_text(const ASN1_TIME* time) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || ASN1_TIME_print(out.get(), time) != 1) return "an unreadable date";
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

}  // namespace

base::Result<std::vector<CertificatePtr>> parse_certificates(const std::string& pem,
                                                             const std::string& file) {
  std::vector<CertificatePtr> certificates;
  const BioPtr bio = memory_bio(pem);
  bool asked = false;
  while (bio) {
    X509* const certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, refuse_passphrase, &asked);
    if (certificate == nullptr) break;
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_error();
  if (!certificates.empty() && at_end) return certificates;
  if (!certificates.empty() || pem.find("-----BEGIN CERTIFICATE-----") != std::string::npos) {
    return absl::InvalidArgumentError(base::str_cat("TLS: certificate ", certificates.size() + 1,
                                                    " of '", file, "' is damaged (", reason,
                                                    "); copy the file again"));
  }
  return absl::InvalidArgumentError(base::str_cat(
      "TLS: '", file,
      "' holds no PEM certificate (-----BEGIN CERTIFICATE-----); convert a DER file with 'openssl "
      "x509 -inform DER'"));
}

base::Result<KeyPtr> parse_key(const std::string& pem, const std::string& file) {
  const BioPtr bio = memory_bio(pem);
  bool asked = false;
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &asked)
                 : nullptr);
  const std::string reason = take_error();
  if (key) return key;
  if (asked) {
    return absl::InvalidArgumentError(
        base::str_cat("TLS: the private key '", file,
                      "' is encrypted; store it without a passphrase ('openssl pkey -in ", file,
                      "') and protect the file by its permissions"));
  }
  return absl::InvalidArgumentError(
      base::str_cat("TLS: '", file, "' holds no PEM private key (", reason,
                    "); it has to begin with -----BEGIN PRIVATE KEY----- or the like"));
}

std::string validity_problem(const X509& certificate) {
  const ASN1_TIME* const from = X509_get0_notBefore(&certificate);
  const ASN1_TIME* const until = X509_get0_notAfter(&certificate);
  if (X509_cmp_current_time(until) < 0) return base::str_cat("expired on ", time_text(until));
  if (X509_cmp_current_time(from) > 0) {
    return base::str_cat("is not valid before ", time_text(from));
  }
  return "";
}

}  // namespace supernova::protocol::tls
