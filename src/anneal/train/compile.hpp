#pragma once

#include "anneal/passes/pass.hpp"
#include "anneal/runtime/executable.hpp"

namespace anneal {

// From a built module to something that runs: all passes, then memory and kernels. Parameters hold
// no values until Session::initialise or a load. The target must outlive the session.
Session compile(Module module, const PassOptions& options, CpuTarget& target,
                const PassObserver& observe = {});

}  // namespace anneal
