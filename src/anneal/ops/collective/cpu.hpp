#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

// The one-rank form of every collective: a copy, or nothing where the output takes the input's
// place.
std::unique_ptr<Kernel> make_collective_kernel(const OpCall& call);

}  // namespace anneal
