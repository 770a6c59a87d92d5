#include "protocol/tls/server_context.h"

#include <openssl/err.h>

#include <string_view>

#include "protocol/tls/pem.h"

namespace supernova::protocol::tls {
namespace {

constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::string_view kHttp11 = "\x08http/1.1";
constexpr std::string_view kSessionContext = "supernova";

// A client that offers only other protocols is told so; one that offers none speaks HTTP/1.1.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(
      &chosen, out_size, reinterpret_cast<const unsigned char*>(kHttp11.data()),
      static_cast<unsigned int>(kHttp11.size()), offered, offered_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void set_behaviour(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kTls12Ciphers);
  // A connection cut without farewell is seen by the HTTP parser where it matters.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Idle connections keep no record buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_session_id_context(context,
                                 reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                 static_cast<unsigned int>(kSessionContext.size()));
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
}

base::Status refused(std::string_view what, const std::string& file) {
  return absl::InvalidArgumentError(
      base::str_cat("TLS: OpenSSL refuses the ", what, " '", file, "': ", take_error()));
}

base::Status use_certificate(SSL_CTX* context, const TlsMaterial& material,
                             const TlsOptions& names) {
  SN_ASSIGN(const auto chain,
            parse_certificates(material.certificate_chain, names.certificate_file));
  SN_ASSIGN(const KeyPtr key, parse_key(material.key, names.key_file));
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    take_error();
    return absl::InvalidArgumentError(base::str_cat(
        "TLS: the private key '", names.key_file, "' does not belong to the certificate '",
        names.certificate_file, "'; its first entry has to be the server's own"));
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return refused("certificate", names.certificate_file);
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return refused("certificate chain", names.certificate_file);
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return refused("private key", names.key_file);
  }
  return {};
}

base::Status demand_client_certificate(SSL_CTX* context, const TlsMaterial& material,
                                       const TlsOptions& names) {
  SN_ASSIGN(const auto authorities, parse_certificates(material.client_ca, names.client_ca_file));
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const CertificatePtr& authority : authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1) {
      return refused("client CA", names.client_ca_file);
    }
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

}  // namespace

base::Result<ContextPtr> make_server_context(const TlsMaterial& material, const TlsOptions& names) {
  ERR_clear_error();
  const ContextPtr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) {
    return absl::InternalError(base::str_cat("TLS: OpenSSL does not start: ", take_error()));
  }
  set_behaviour(context.get());
  SN_TRY(use_certificate(context.get(), material, names));
  if (!material.client_ca.empty()) {
    SN_TRY(demand_client_certificate(context.get(), material, names));
  }
  return context;
}

}  // namespace supernova::protocol::tls
