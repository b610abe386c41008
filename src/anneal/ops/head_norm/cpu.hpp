#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_head_norm_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_head_norm_grad_kernel(const OpCall& call);

}  // namespace anneal
