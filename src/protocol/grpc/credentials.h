// TLS for a gRPC listener out of certificate files that may be replaced while it runs.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "protocol/tls/tls_files.h"

namespace supernova::protocol::grpc {

// Every new connection gets the newest content of `files`, which must outlive the server. With a
// client CA, connections without a certificate that it signed are refused. Whether there is one is
// decided here: a reload can replace the client CA, not add or remove it.
std::shared_ptr<::grpc::ServerCredentials> make_tls_credentials(tls::TlsFiles& files);

}  // namespace supernova::protocol::grpc
