#include "protocol/grpc/credentials.h"

namespace supernova::protocol::grpc {
namespace {

// Called by gRPC before each handshake, one at a time for a listener.
grpc_ssl_certificate_config_reload_status fetch(void* user_data,
                                                grpc_ssl_server_certificate_config** config) {
  auto& source = *static_cast<CertificateSource*>(user_data);
  source.files->poll();
  const std::shared_ptr<const tls::TlsMaterial> material = source.files->current();
  if (material->generation == source.given) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair{material->key.c_str(), material->certificate_chain.c_str()};
  // gRPC insists on client roots, also where no client is asked; any certificate does then.
  const std::string& roots =
      material->client_ca.empty() ? material->certificate_chain : material->client_ca;
  *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
  source.given = material->generation;
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

}  // namespace

CredentialsPtr make_tls_credentials(CertificateSource& source) {
  const bool wants_client = !source.files->current()->client_ca.empty();
  auto* const options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
      wants_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                   : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
      &fetch, &source);
  return CredentialsPtr(grpc_ssl_server_credentials_create_with_options(options));
}

}  // namespace supernova::protocol::grpc
