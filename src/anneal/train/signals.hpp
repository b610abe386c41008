#pragma once

namespace anneal {

// While one exists, SIGINT and SIGTERM set a flag instead of ending the process; a second one ends
// it at once. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  static bool requested();
};

}  // namespace anneal
