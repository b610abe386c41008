#include "anneal/ir/builder.hpp"
#include "anneal/passes/pass.hpp"

// Replaces ops that the device has no kernel for, or that have no gradient rule of their own where
// one will be needed, by their definition in simpler ops.

namespace anneal {
namespace {

bool needs_expansion(const Program& program, NodeId n, bool will_differentiate, Target& target) {
  const Node& node = program.node(n);
  if (!node.op->expand) return false;
  if (will_differentiate && !node.op->vjp) return true;
  return !target.has_kernel(*node.op, program.call(n));
}

void expand_program(Module& module, Program& program, bool will_differentiate, Target& target) {
  std::vector<NodeId> pending(program.order.rbegin(), program.order.rend());
  std::vector<NodeId> result;
  program.order.clear();
  while (!pending.empty()) {
    NodeId n = pending.back();
    pending.pop_back();
    if (!needs_expansion(program, n, will_differentiate, target)) {
      result.push_back(n);
      continue;
    }
    Node node = program.node(n);
    Builder b(program, &module);
    b.set_scope(node.scope, node.location);
    b.set_phase(node.phase);
    std::vector<NodeId> emitted;
    b.set_destination(&emitted);
    auto outputs = node.op->expand(b, program.call(n), node.inputs);
    ANNEAL_ASSERT(outputs.size() == node.outputs.size(), node.op->name, " expands to ",
                  outputs.size(), " outputs");
    // Later readers are still in `pending`; the program's own outputs are replaced with them.
    program.order = pending;
    for (size_t i = 0; i < outputs.size(); ++i) program.replace_uses(node.outputs[i], outputs[i]);
    program.order.clear();
    pending.insert(pending.end(), emitted.rbegin(), emitted.rend());
  }
  program.order = std::move(result);
}

}  // namespace

void expand(Module& module, const PassContext& context) {
  for (auto& [name, program] : module.programs)
    expand_program(module, program, name == "forward", context.target);
}

}  // namespace anneal
