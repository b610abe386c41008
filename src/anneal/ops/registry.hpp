#pragma once

#include "anneal/ops/kernel.hpp"

namespace anneal {

// The CPU kernel of an op for these types, or null.
std::unique_ptr<Kernel> make_cpu_kernel(const OpDef& op, const OpCall& call);

// All ops, for tests and documentation.
struct OpEntry {
  const OpDef& (*def)();
  KernelFactory cpu;
};
std::span<const OpEntry> all_ops();

}  // namespace anneal
