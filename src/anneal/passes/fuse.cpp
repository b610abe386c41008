#include <algorithm>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/passes/elementwise_groups.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Fewer passes over memory. Two rules: a sum whose second term is an output that can start from the
// first term becomes part of the node that makes the output (a weight gradient is added to its
// buffer by the matrix product itself); and connected element-wise nodes become one node. Never
// across phases.

namespace anneal {
namespace {

// Whether a value is wanted beyond the program's nodes: as an output or as a persistent's content.
bool leaves_program(const Program& program, Value v) {
  return program.info(v).stores >= 0 ||
         std::any_of(program.outputs.begin(), program.outputs.end(),
                     [&](const auto& out) { return out.value == v; });
}

// add(acc, f(…)) with f able to accumulate: f(…, acc).
void fuse_accumulation(Program& program) {
  for (NodeId n : std::vector<NodeId>(program.order)) {
    const Node& sum = program.node(n);
    if (!sum.op->sums_inputs || !sum.op->sums_inputs(program.call(n))) continue;
    Value target = sum.inputs[0], term = sum.inputs[1];
    NodeId producer = program.info(term).producer;
    if (producer < 0 || target == term) continue;
    auto readers = program.readers();
    const auto& sole = readers[static_cast<size_t>(term.id)];
    if (sole.size() != 1 || program.node(producer).phase != sum.phase) continue;
    // Both vanish as values of their own.
    if (leaves_program(program, term) || leaves_program(program, target)) continue;
    if (program.type(target) != program.type(sum.outputs[0])) continue;
    // The target is overwritten in place: nobody else may read it, and it must exist by then.
    if (readers[static_cast<size_t>(target.id)].size() != 1) continue;
    auto position = positions_of(program);
    NodeId made = program.info(target).producer;
    if (made >= 0 && position[static_cast<size_t>(made)] > position[static_cast<size_t>(producer)])
      continue;
    const ValueInfo& target_info = program.info(target);
    if (target_info.producer < 0 && target_info.persistent < 0) continue;
    if (target_info.persistent >= 0 && program.info(sum.outputs[0]).stores < 0) {
      // Only a chain that ends in the same persistent's store may write over it.
      Value v = sum.outputs[0];
      while (program.info(v).stores < 0) {
        const auto& next = readers[static_cast<size_t>(v.id)];
        if (next.size() != 1) break;
        const Node& reader = program.node(next[0]);
        if (!reader.op->sums_inputs || !reader.op->sums_inputs(program.call(next[0]))) break;
        v = reader.outputs[0];
      }
      if (program.info(v).stores != target_info.persistent) continue;
    }
    Node& node = program.node(producer);
    auto at = std::find(node.outputs.begin(), node.outputs.end(), term) - node.outputs.begin();
    for (const AccumulateInto& a : node.op->accumulate) {
      auto input = static_cast<size_t>(a.input);
      if (a.output != at || (input < node.inputs.size() && node.inputs[input])) continue;
      if (node.inputs.size() <= input) node.inputs.resize(input + 1);
      node.inputs[input] = target;
      auto& info = program.info(term);
      info.type = program.type(sum.outputs[0]);
      info.stores = program.info(sum.outputs[0]).stores;
      program.info(sum.outputs[0]).stores = -1;
      program.replace_uses(sum.outputs[0], term);
      erase_nodes(program, [n](NodeId m) { return m == n; });
      break;
    }
  }
}

}  // namespace

void fuse(Module& module, const PassContext& context) {
  for (auto& [name, program] : module.programs) {
    fuse_accumulation(program);
    if (context.options.fuse) fuse_elementwise(program);
  }
}

}  // namespace anneal
