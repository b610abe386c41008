#include "anneal/ops/registry.hpp"

#include "anneal/ops/elementwise/cpu.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/matmul/cpu.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/ops/reduce/cpu.hpp"
#include "anneal/ops/reduce/sum_to.hpp"

namespace anneal {
namespace {

// One line an op.
const OpEntry table[] = {
    {elementwise_op, make_elementwise_kernel},
    {matmul_op, make_matmul_kernel},
    {sum_to_op, make_sum_to_kernel},
    {broadcast_op, make_broadcast_kernel},
};

}  // namespace

std::span<const OpEntry> all_ops() { return table; }

std::unique_ptr<Kernel> make_cpu_kernel(const OpDef& op, const OpCall& call) {
  for (const auto& entry : table)
    if (&entry.def() == &op) return entry.cpu ? entry.cpu(call) : nullptr;
  return nullptr;
}

}  // namespace anneal
