#include "anneal/train/signals.hpp"

#include <pthread.h>

#include "anneal/base/background_thread.hpp"

namespace anneal {
namespace {

std::atomic<bool> stop_requested{false};

}  // namespace

StopSignals::StopSignals() {
  stop_requested = false;
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, &old_mask_);
  // Threads that kernels use may exist already; those that come inherit the mask.
#pragma omp parallel
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);

  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &old_pipe_);
  waiter_ = background_thread([this] { wait(); });
}

void StopSignals::wait() {
  for (int signal = 0; sigwait(&signals_, &signal) == 0;) {
    if (ending_) return;
    if (!stop_requested.exchange(true)) continue;
    // The second one does what the first would have done without us.
    ::signal(signal, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal);
    pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    raise(signal);
  }
}

StopSignals::~StopSignals() {
  ending_ = true;
  pthread_kill(waiter_.native_handle(), SIGTERM);
  waiter_.join();
  sigaction(SIGPIPE, &old_pipe_, nullptr);
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

bool StopSignals::requested() { return stop_requested; }

}  // namespace anneal
