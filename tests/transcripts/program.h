// The server program over a repository of tiny models made on the spot (README.md lists them).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace supernova::transcripts {

void write_repository(const std::filesystem::path& folder);

class Program {
 public:
  // Starts `binary serve` on free ports of 127.0.0.1 and waits until it is ready; the error holds
  // what it said otherwise.
  static base::Result<std::unique_ptr<Program>> start(const std::string& binary,
                                                      const std::filesystem::path& repository,
                                                      const std::vector<std::string>& arguments);
  ~Program();  // ends it

  const std::string& http() const { return http_; }  // "127.0.0.1:1234"
  const std::string& grpc() const { return grpc_; }

 private:
  Program() = default;
  base::Status wait_until_ready();

  pid_t child_ = -1;
  int output_ = -1;
  std::string http_;
  std::string grpc_;
};

}  // namespace supernova::transcripts
