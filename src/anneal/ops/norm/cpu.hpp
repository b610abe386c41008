#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_layernorm_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_layernorm_grad_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_rmsnorm_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_rmsnorm_grad_kernel(const OpCall& call);

}  // namespace anneal
