#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_take_columns_kernel(const OpCall& call);
std::unique_ptr<Kernel> make_add_columns_kernel(const OpCall& call);

}  // namespace anneal
