#pragma once

#include <pthread.h>
#include <signal.h>
#include <thread>
#include <utility>

namespace anneal {

// Starts a thread that no signal is delivered to: signals are for the threads of the program's own
// making, which know how to stop a run.
template <class F>
std::thread background_thread(F&& run) {
  struct BlockedSignals {
    sigset_t old;
    BlockedSignals() {
      sigset_t all;
      ::sigfillset(&all);
      ::pthread_sigmask(SIG_SETMASK, &all, &old);
    }
    ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &old, nullptr); }
  } blocked;
  return std::thread(std::forward<F>(run));
}

}  // namespace anneal
