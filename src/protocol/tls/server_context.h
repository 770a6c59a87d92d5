// OpenSSL's context of a server: TLS 1.2 or newer, forward-secret AEAD ciphers, ALPN "http/1.1",
// stateless session tickets.
#pragma once

#include "base/status.h"
#include "protocol/tls/openssl.h"
#include "protocol/tls/tls_files.h"

namespace supernova::protocol::tls {

// `names` says which files the material came from, for the error messages.
base::Result<ContextPtr> make_server_context(const TlsMaterial& material, const TlsOptions& names);

}  // namespace supernova::protocol::tls
