#include "base/long_wait.h"

namespace supernova::base {
namespace {

thread_local WaitListener* listener_of_this_thread = nullptr;
thread_local int waits_of_this_thread = 0;

}  // namespace

LongWait::LongWait() {
  if (waits_of_this_thread++ == 0 && listener_of_this_thread != nullptr) {
    listener_of_this_thread->wait_begins();
  }
}

LongWait::~LongWait() {
  if (--waits_of_this_thread == 0 && listener_of_this_thread != nullptr) {
    listener_of_this_thread->wait_ends();
  }
}

void set_wait_listener(WaitListener* listener) { listener_of_this_thread = listener; }

}  // namespace supernova::base
