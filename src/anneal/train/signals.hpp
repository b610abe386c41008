#pragma once

#include <signal.h>
#include <atomic>
#include <thread>

namespace anneal {

// While one exists, SIGINT and SIGTERM set a flag instead of ending the process; a second one ends
// it at once. A reader of the output that goes away (SIGPIPE) does not end it either. One at a
// time, made before kernels run.
//
// A thread of its own waits for the signals, which all others block: a handler must never run on a
// thread that computes, since oneDNN's generated code moves the stack pointer into buffers on the
// heap, and the handler's frame would be written over what lies below.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  static bool requested();

 private:
  void wait();

  sigset_t signals_, old_mask_;
  struct sigaction old_pipe_;
  std::atomic<bool> ending_{false};
  std::thread waiter_;
};

}  // namespace anneal
