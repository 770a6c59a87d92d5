// The simplest client there is: a blocking socket, one request at a time. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "models.h"

namespace supernova::bench {

// A whole inference request with binary input and output.
std::string infer_request(const BenchModel& model, std::string_view input);

class HttpClient {
 public:
  static base::Result<HttpClient> connect(uint16_t port);  // 127.0.0.1
  HttpClient(HttpClient&& other) noexcept;
  HttpClient& operator=(HttpClient&&) = delete;
  ~HttpClient();

  // Sends and waits for the whole reply; its binary part stays readable until the next call.
  // Anything but 200 is an error.
  base::Result<std::string_view> exchange(std::string_view request);

 private:
  explicit HttpClient(int descriptor) : descriptor_(descriptor) {}
  base::Result<size_t> receive_head();

  int descriptor_;
  std::string received_;
};

}  // namespace supernova::bench
