#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_sum_squares_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_grad_norm_kernel(const OpCall& call);

}  // namespace anneal
