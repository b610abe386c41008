#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_linear_attention_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_linear_attention_grad_kernel(const OpCall& call);

}  // namespace anneal
