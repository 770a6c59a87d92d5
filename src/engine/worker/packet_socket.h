// One end of the Unix socket between server and worker: whole messages, with descriptors. Sending
// is safe from any thread, receiving from one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace supernova::engine::worker {

struct Message {
  uint32_t type = 0;
  uint64_t id = 0;                // of the call or run it belongs to
  std::string body;               // of any size: what is large travels as a file
  std::vector<base::File> files;  // at most kMaxFiles
};

class PacketSocket {
 public:
  static constexpr size_t kMaxFiles = 64;
  static constexpr size_t kMaxBody = size_t{256} << 20U;

  PacketSocket() = default;
  explicit PacketSocket(base::File file) : file_(std::move(file)) {}
  static base::Result<std::pair<PacketSocket, PacketSocket>> make_pair();

  // UNAVAILABLE when the other end is gone, DEADLINE_EXCEEDED when it has not read for too long.
  base::Status send(uint32_t type, uint64_t id, std::string_view body,
                    const std::vector<int>& files = {});
  base::Status limit_send_time(std::chrono::milliseconds limit);
  // Waits for a message; OUT_OF_RANGE = the other end is gone. With `wait` false, NOT_FOUND where
  // there is none.
  base::Result<Message> receive(bool wait = true);

  int descriptor() const { return file_.get(); }
  void close() { file_.close(); }

 private:
  base::File file_;
};

}  // namespace supernova::engine::worker
