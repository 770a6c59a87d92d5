// TLS for a gRPC listener out of certificate files that may be replaced while it runs.
#pragma once

#include <grpc/grpc_security.h>

#include <memory>

#include "protocol/tls/tls_files.h"

namespace supernova::protocol::grpc {

// The files, and which content of theirs gRPC has.
struct CertificateSource {
  std::unique_ptr<tls::TlsFiles> files;
  uint64_t given = 0;  // TlsMaterial::generation; gRPC's once it listens
};

struct ReleaseCredentials {
  void operator()(grpc_server_credentials* credentials) const {
    grpc_server_credentials_release(credentials);
  }
};
using CredentialsPtr = std::unique_ptr<grpc_server_credentials, ReleaseCredentials>;

// Every new connection gets the newest content of the files. `source` must outlive the server (the
// credentials themselves may go as soon as it listens). With a client CA, connections without a
// certificate that it signed are refused. Whether there is one is decided here: a reload can
// replace the client CA, not add or remove it.
CredentialsPtr make_tls_credentials(CertificateSource& source);

}  // namespace supernova::protocol::grpc
