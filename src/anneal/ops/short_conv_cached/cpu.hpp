#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_short_conv_cached_kernel(const OpCall& call);

}  // namespace anneal
