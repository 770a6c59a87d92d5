// The certificate, key and client CA of a listener: read, checked, and read again when the files
// change. A broken replacement leaves the old content in force and is logged once. Thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "protocol/tls/tls_options.h"

namespace supernova::protocol::tls {

// Checked: the key belongs to the first certificate and OpenSSL accepts all of it.
struct TlsMaterial {
  std::string certificate_chain;  // PEM, as in the file
  std::string key;
  std::string client_ca;    // "" = clients need no certificate
  uint64_t generation = 1;  // grows with every replacement
};

class TlsFiles {
 public:
  // Errors name the file and what to do about it. A certificate that has expired or is not valid
  // yet is only warned about: a machine's clock may be wrong, and what to think of it is the
  // client's decision.
  static base::Result<std::unique_ptr<TlsFiles>> open(const TlsOptions& options);

  std::shared_ptr<const TlsMaterial> current() const;

  // Looks whether the files have changed, at most once per check_interval, and reads them if so.
  // True when current() is new. Call it now and then, or before each new connection.
  bool poll(std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());

 private:
  // What tells one state of a file from another.
  struct Stamp {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t size = -1;  // -1 = there is no such file
    int64_t modified_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;

  explicit TlsFiles(TlsOptions options) : options_(std::move(options)) {}
  static Stamp stamp_of(const std::string& path);
  Stamps stamps() const;

  const TlsOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TlsMaterial> current_;
  Stamps seen_;  // of the last attempt, successful or not
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace supernova::protocol::tls
