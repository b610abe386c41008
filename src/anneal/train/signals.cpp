#include "anneal/train/signals.hpp"

#include <csignal>

namespace anneal {
namespace {

volatile std::sig_atomic_t stop_requested = 0;
struct sigaction previous_interrupt, previous_terminate;

extern "C" void on_stop_signal(int signal) {
  stop_requested = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

StopSignals::StopSignals() {
  stop_requested = 0;
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &previous_interrupt);
  sigaction(SIGTERM, &action, &previous_terminate);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &previous_interrupt, nullptr);
  sigaction(SIGTERM, &previous_terminate, nullptr);
}

bool StopSignals::requested() { return stop_requested != 0; }

}  // namespace anneal
