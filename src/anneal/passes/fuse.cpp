#include <algorithm>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/passes/elementwise_groups.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Fewer passes over memory. Three rules: a sum whose second term is an output that can start from
// the first term becomes part of the node that makes the output (a weight gradient is added to its
// buffer by the matrix product itself); a sum becomes part of a node that reads it and can add (the
// residual stream grows in the norm that follows); and connected element-wise nodes become one
// node. Never across phases.

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
      uint32_t accepts_low = node.op->low_accept | node.op->low_require;
      if (is_low(program.type(target).dtype) && !(accepts_low & bit(a.input))) continue;
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

// Whether node n may read v in place of the sum `sum` that stands before it: what v holds is still
// there.
bool holds_until(const Program& program, Value v, NodeId sum, NodeId n,
                 const std::vector<int32_t>& position) {
  int32_t persistent = program.info(v).persistent;
  if (persistent < 0) return true;
  for (auto i = static_cast<size_t>(position[static_cast<size_t>(sum)]);
       i < static_cast<size_t>(position[static_cast<size_t>(n)]); ++i)
    for (Value out : program.node(program.order[i]).outputs)
      if (program.info(out).stores == persistent) return false;
  return true;
}

// f(add(a, b), …) with f able to add: f(a, …, b), which also gives the sum to its other readers.
void fuse_sums_into_readers(Program& program) {
  for (NodeId n : std::vector<NodeId>(program.order)) {
    for (const AbsorbsSum& fact : program.node(n).op->absorbs) {
      auto input = static_cast<size_t>(fact.input), addend = static_cast<size_t>(fact.addend);
      const Node& node = program.node(n);
      Value v = node.inputs[input];
      NodeId s = program.info(v).producer;
      if (s < 0 || (node.inputs.size() > addend && node.inputs[addend])) continue;
      const Node& sum = program.node(s);
      if (sum.phase != node.phase || program.info(v).stores >= 0) continue;
      if (!sum.op->sums_inputs || !sum.op->sums_inputs(program.call(s))) continue;
      Value a = sum.inputs[0], b = sum.inputs[1];
      if (program.type(v).dtype != DType::f32 || program.type(a) != program.type(v) ||
          program.type(b) != program.type(v))
        continue;
      auto position = positions_of(program);
      auto earlier = [&](NodeId r) {
        return position[static_cast<size_t>(r)] < position[static_cast<size_t>(n)];
      };
      auto readers = program.readers();
      const auto& of_sum = readers[static_cast<size_t>(v.id)];
      if (std::any_of(of_sum.begin(), of_sum.end(), earlier)) continue;
      if (!holds_until(program, a, s, n, position) || !holds_until(program, b, s, n, position))
        continue;
      Node& fused = program.node(n);
      if (fused.inputs.size() <= addend) fused.inputs.resize(addend + 1);
      fused.inputs[input] = a;
      fused.inputs[addend] = b;
      ANNEAL_ASSERT(fused.outputs.size() == static_cast<size_t>(fact.output));
      fused.outputs.push_back(v);
      program.info(v).producer = n;
      erase_nodes(program, [s](NodeId m) { return m == s; });
    }
  }
}

}  // namespace

void fuse(Module& module, const PassContext& context) {
  for (auto& [name, program] : module.programs) {
    fuse_accumulation(program);
    if (!context.options.fuse) continue;
    fuse_sums_into_readers(program);
    fuse_elementwise(program);
  }
}

}  // namespace anneal
