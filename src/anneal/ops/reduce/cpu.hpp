#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_sum_to_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_broadcast_kernel(const OpCall& call);

}  // namespace anneal
