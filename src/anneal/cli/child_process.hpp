#pragma once

#include <string>
#include <vector>

namespace anneal {

// Runs this very program with these arguments and nothing on stdin; its stderr is ours, its stdout
// is dropped. Returns its exit code, or 128 + the signal that ended it. Where a StopSignals has
// seen a signal, the child gets SIGTERM and is waited for. Throws Error if it cannot be started.
int run_self(const std::vector<std::string>& arguments);

}  // namespace anneal
