// How a server hears that it is to end: SIGTERM and SIGINT.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace supernova::apps {

class StopSignal {
 public:
  // Takes the signals from here on; threads that are started later leave them alone.
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  ~StopSignal();

  // A signal that comes before wait() ends the program with 0 at once, since a model may take
  // minutes to load or hang: after `last`, on another thread.
  void before_waiting(std::function<void()> last);
  // Waits for a signal and returns it. Another one ends the program the ordinary way.
  int wait();

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

// Ends the program with 0 where it has not ended by itself by then: an engine may never be done
// with a request.
void end_within(std::chrono::seconds time);

}  // namespace supernova::apps
