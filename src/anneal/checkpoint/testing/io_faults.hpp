#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace anneal {

// For tests: the test program defines the system calls that saving goes through itself
// (io_faults.cpp beside this), so a test can end the process or fail at any one of them, in the
// library's code and in the standard library alike.
struct IoFaults {
  enum class Action {
    none,
    die,         // _exit instead of the call
    write_half,  // a write does half its work before the process ends; other calls: die
    fail,        // the call fails with `error`
  };

  Action action = Action::none;
  int64_t at = 0;  // the call, counted from 1 after arm()
  int error = 0;
  bool fail_all_after = false;  // also all later calls fail
  bool skip_sync = false;       // fsync returns at once
  bool no_exchange = false;     // renameat2 fails with EINVAL
  int64_t free_blocks = -1;     // if not negative: what statvfs reports
  bool record = false;
};

// From now on these faults happen; the count starts anew.
void arm(const IoFaults& faults);
// No more faults; returns the number of calls since arm().
int64_t disarm();
// "write PATH", "sync PATH", "rename FROM TO", … in order, since the last arm() with `record`.
std::vector<std::string> recorded_calls();

}  // namespace anneal
