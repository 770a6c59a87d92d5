#include "protocol/grpc/credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

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

// gRPC's C++ side has no credentials that ask for their files again; its C side has.
class ReloadingCredentials final : public ::grpc::ServerCredentials {
 public:
  explicit ReloadingCredentials(CertificateSource& source) {
    const bool wants_client = !source.files->current()->client_ca.empty();
    auto* const options = grpc_ssl_server_credentials_create_options_using_config_fetcher(
        wants_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                     : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        &fetch, &source);
    credentials_ = grpc_ssl_server_credentials_create_with_options(options);
  }
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<::grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

std::shared_ptr<::grpc::ServerCredentials> make_tls_credentials(CertificateSource& source) {
  return std::make_shared<ReloadingCredentials>(source);
}

}  // namespace supernova::protocol::grpc
