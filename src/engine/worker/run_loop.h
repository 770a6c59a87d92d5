// The worker's side of runs: takes them off the board, has the engine run them, and puts their
// responses where the server looks. Threads are added while all there are are busy.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "engine/worker/board.h"
#include "engine/worker/hosted_engine.h"
#include "engine/worker/packet_socket.h"
#include "engine/worker/run_message.h"
#include "engine/worker/shared_memory.h"

namespace supernova::engine::worker {

class RunLoop {
 public:
  // All must outlive the process: its threads don't end.
  RunLoop(HostedEngine& engine, PacketSocket& socket, Board& board, bool looks);
  RunLoop(const RunLoop&) = delete;
  RunLoop& operator=(const RunLoop&) = delete;

  void start();
  void add_segment(uint64_t index, SharedMemory memory);
  void drop_segment(uint64_t index);
  void cancel(uint64_t run);
  bool is_idle();
  // Return when no run of that instance, or of that state, is under way.
  void wait_for_instance(uint64_t instance);
  void wait_for_state(uint64_t state);
  // What threads tell each other by way of the server comes after what they did before: who is
  // about to tell it something and who has heard from it meet here.
  void settle();

 private:
  struct Run;
  using Clock = std::chrono::steady_clock;
  using Segment = std::shared_ptr<SharedMemory>;

  void loop();
  void add_thread();
  bool take(RingEntry& entry);
  bool is_work() const { return board_.head.load() != board_.tail.load(); }
  void look();
  void wait_for_work(Clock::duration& gap);
  Segment segment(uint64_t index);
  void execute(const RingEntry& entry);
  void perform(const std::shared_ptr<Run>& run);
  std::string prepare(Run& run);  // why it can't be run, as a record
  void end_with(Run& run, std::string_view response);
  template <typename Condition>
  void wait_for_runs(Condition is_of);
  void respond(Run& run, const sn_response& response);
  void finish(Run& run, std::string_view response);
  void send(Run& run, std::string_view response, const std::vector<base::File>& files, bool final);
  void end(const Run& run);

  HostedEngine& engine_;
  PacketSocket& socket_;
  Board& board_;
  const bool looks_;  // a while before it sleeps
  std::atomic<int> threads_{0};
  std::atomic<int> idle_{0};
  std::mutex mutex_;
  std::map<uint64_t, Segment> segments_;
  std::condition_variable ended_;
  int cancels_ = 0;  // under way
  std::unordered_map<uint64_t, std::shared_ptr<Run>> runs_;
};

}  // namespace supernova::engine::worker
