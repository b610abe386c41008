#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_embedding_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_embedding_grad_kernel(const OpCall& call);

}  // namespace anneal
