#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

// Of the loss and of both its gradients: the outputs say which.
std::unique_ptr<Kernel> make_head_loss_kernel(const OpCall& call);

}  // namespace anneal
