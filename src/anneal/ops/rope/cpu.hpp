#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_rope_kernel(const OpCall& call);

}  // namespace anneal
