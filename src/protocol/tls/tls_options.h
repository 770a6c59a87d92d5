// What a listener needs to speak TLS: names of PEM files. Shared by HTTP and gRPC.
#pragma once

#include <chrono>
#include <string>

namespace supernova::protocol::tls {

struct TlsOptions {
  std::string certificate_file;  // the server's certificate first, then intermediate ones
  std::string key_file;          // its private key, not encrypted
  // When not empty, clients must present a certificate that one of this file's signed (mTLS).
  std::string client_ca_file;
  std::chrono::milliseconds check_interval{1000};  // how often the files are looked at, at most
};

}  // namespace supernova::protocol::tls
