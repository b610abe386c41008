#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_dropout_kernel(const OpCall& call);

}  // namespace anneal
