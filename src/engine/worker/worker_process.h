// One worker process as the server sees it: started, talked to, and known how it ended.
// Thread-safe. Its messages and its end are handled on a thread of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "engine/worker/board.h"
#include "engine/worker/messages.h"
#include "engine/worker/packet_socket.h"
#include "engine/worker/restart_policy.h"
#include "engine/worker/shared_memory.h"

namespace supernova::engine::worker {

struct WorkerCommand {
  std::string program;
  std::string name;  // of the worker, as in metrics: for `ps` and messages
  std::vector<std::string> environment;
  uint64_t memory_byte_size = 0;  // the limit that it gives itself, 0 = none
};

struct WorkerEnd {
  EndCause cause = EndCause::kStopped;
  int wait_status = 0;
  std::string reason;  // a sentence: how it ended, and the last lines that it said
  std::chrono::milliseconds lived{0};
};

class WorkerProcess {
 public:
  // Called on the worker's thread. `on_end` comes last, after every message was handled, and before
  // calls that wait are told.
  struct Handlers {
    std::function<void(Message&)> on_message;  // kRunDone, kResponse
    std::function<void(int32_t level, std::string_view text)> on_log;
    std::function<void(const WorkerEnd& end)> on_end;
  };

  // The calling thread must live as long as the process: the kernel ends it with that thread.
  static base::Result<std::shared_ptr<WorkerProcess>> start(const WorkerCommand& command,
                                                            Handlers handlers);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  // Must not be called on the worker's thread.
  ~WorkerProcess();

  using Sink = std::function<base::Status(std::string_view, std::span<const std::byte>)>;
  // Asks and waits for the answer: what follows its code, or the error. `died`, where it is given,
  // says whether that is the end of the worker instead. One that does not answer in time is killed.
  base::Result<std::string> call(MessageType type, std::string_view body,
                                 const std::vector<int>& files, std::chrono::milliseconds timeout,
                                 bool* died = nullptr, const Sink& sink = {});
  // Without an answer; what can't be sent is lost, as the worker is.
  void tell(MessageType type, uint64_t id, std::string_view body,
            const std::vector<int>& files = {});

  Board& board() { return *reinterpret_cast<Board*>(board_.data()); }
  pid_t pid() const { return pid_; }
  bool has_ended() const { return ended_.load(std::memory_order_acquire); }
  // Only after has_ended().
  const WorkerEnd& end() const { return end_; }

  // Ends it at once, because it takes too long with `what`.
  void kill_as_timed_out(std::string_view what);
  // Because its device is lost: `why` is what its engine said. Returns when it is gone.
  void end_as_lost(std::string_view why);
  // Lets it close its engine, then ends it; returns when it is gone.
  void stop();

 private:
  struct Call;

  WorkerProcess() = default;
  void serve();
  base::Status send(MessageType type, uint64_t id, std::string_view body,
                    const std::vector<int>& files);
  bool receive_all();
  void handle(Message message);
  void take_file(Message& message);
  bool read_said();
  void flush_said(bool all);
  void reap();

  WorkerCommand command_;
  Handlers handlers_;
  PacketSocket socket_;
  SharedMemory board_;
  base::File said_;     // its stderr
  base::File process_;  // pidfd
  pid_t pid_ = 0;
  std::chrono::steady_clock::time_point started_;
  uint64_t oom_kills_ = 0;
  std::string said_line_;
  std::string last_words_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, Call*> calls_;
  uint64_t next_call_ = 1;
  bool stopping_ = false;
  bool reaped_ = false;
  std::string timed_out_;  // with what
  std::string lost_;       // why its device is
  std::atomic<bool> ended_{false};
  WorkerEnd end_;
  std::thread thread_;
};

}  // namespace supernova::engine::worker
