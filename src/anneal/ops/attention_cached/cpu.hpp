#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

std::unique_ptr<Kernel> make_attention_cached_kernel(const OpCall& call);
// For one position.
std::unique_ptr<Kernel> make_decode_kernel(const OpCall& call);

}  // namespace anneal
