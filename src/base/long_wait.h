// Work on threads of which there are few says where it waits for another process, which may take
// long or never answer: whoever lent the thread may then lend another one meanwhile.
#pragma once

namespace supernova::base {

// This thread waits as long as one of these lives on it. Costs nothing where nobody listens.
class LongWait {
 public:
  LongWait();
  ~LongWait();
  LongWait(const LongWait&) = delete;
  LongWait& operator=(const LongWait&) = delete;
};

// Is told on the thread that waits, of the outermost LongWait only.
class WaitListener {
 public:
  virtual void wait_begins() = 0;
  virtual void wait_ends() = 0;

 protected:
  ~WaitListener() = default;
};
// Who is told of this thread; null = nobody. It must outlive the thread's waits.
void set_wait_listener(WaitListener* listener);

}  // namespace supernova::base
