#include <algorithm>
#include <unordered_map>

#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Removes what does not change any result: identity collectives, nodes whose outputs another node
// computes anyway, equal nodes of one phase, and nodes that nobody reads.

namespace anneal {
namespace {

// One rank has no mesh axis larger than 1: collectives are the identity.
void remove_collectives(Program& program) {
  for (NodeId n : std::vector<NodeId>(program.order)) {
    const Node& node = program.node(n);
    if (!node.op->collective || program.info(node.outputs[0]).stores >= 0) continue;
    program.replace_uses(node.outputs[0], node.inputs[0]);
    erase_nodes(program, [n](NodeId m) { return m == n; });
  }
}

// A node whose op names another it subsumes stands in for every such node with the same first
// inputs that no one reads before it.
void merge_subsumed(Program& program) {
  for (NodeId n : std::vector<NodeId>(program.order)) {
    const Node& node = program.node(n);
    const Subsumes& s = node.op->subsumes;
    if (!s.op) continue;
    auto position = positions_of(program);
    auto readers = program.readers();
    for (NodeId m : std::vector<NodeId>(program.order)) {
      const Node& other = program.node(m);
      if (other.op != s.op || !(other.attrs == node.attrs)) continue;
      if (std::min(other.inputs.size(), node.inputs.size()) < static_cast<size_t>(s.inputs))
        continue;
      if (!std::equal(other.inputs.begin(), other.inputs.begin() + s.inputs, node.inputs.begin()))
        continue;
      bool read_before = false, other_type = false;
      for (int o = 0; o < s.outputs; ++o) {
        Value v = other.outputs[static_cast<size_t>(o)];
        for (NodeId r : readers[static_cast<size_t>(v.id)])
          read_before |= position[static_cast<size_t>(r)] <= position[static_cast<size_t>(n)];
        other_type |= program.type(v) != program.type(node.outputs[static_cast<size_t>(o)]);
      }
      if (read_before || other_type) continue;
      for (int o = 0; o < s.outputs; ++o)
        program.replace_uses(other.outputs[static_cast<size_t>(o)],
                             node.outputs[static_cast<size_t>(o)]);
      erase_nodes(program, [m](NodeId k) { return k == m; });
    }
  }
}

bool stores_anything(const Program& program, const Node& node) {
  return std::any_of(node.outputs.begin(), node.outputs.end(),
                     [&](Value v) { return program.info(v).stores >= 0; });
}

// Common subexpressions, within one phase: a recomputed node must not become its original again.
void merge_equal(Program& program) {
  std::unordered_multimap<size_t, NodeId> seen;
  for (NodeId n : std::vector<NodeId>(program.order)) {
    const Node& node = program.node(n);
    if (stores_anything(program, node) || !node.op->must_alias.empty()) continue;
    size_t key = std::hash<const void*>()(node.op);
    for (Value v : node.inputs) key = key * 31 + static_cast<size_t>(v.id + 1);
    bool merged = false;
    for (auto [it, end] = seen.equal_range(key); it != end && !merged; ++it) {
      const Node& other = program.node(it->second);
      if (other.op != node.op || other.inputs != node.inputs || other.phase != node.phase ||
          !(other.attrs == node.attrs))
        continue;
      bool same_types = true;
      for (size_t o = 0; o < node.outputs.size(); ++o)
        same_types &= program.type(node.outputs[o]) == program.type(other.outputs[o]);
      if (!same_types) continue;
      for (size_t o = 0; o < node.outputs.size(); ++o)
        program.replace_uses(node.outputs[o], other.outputs[o]);
      merged = true;
    }
    if (merged)
      erase_nodes(program, [n](NodeId m) { return m == n; });
    else
      seen.emplace(key, n);
  }
}

void remove_dead(Program& program) {
  std::vector<bool> live(static_cast<size_t>(program.value_count()), false);
  for (const auto& out : program.outputs) live[static_cast<size_t>(out.value.id)] = true;
  for (const auto& [parameter, value] : program.gradients)
    live[static_cast<size_t>(value.id)] = true;
  std::vector<NodeId> kept;
  for (auto it = program.order.rbegin(); it != program.order.rend(); ++it) {
    const Node& node = program.node(*it);
    bool needed = stores_anything(program, node);
    for (Value v : node.outputs) needed |= live[static_cast<size_t>(v.id)];
    if (!needed) continue;
    kept.push_back(*it);
    for (Value v : node.inputs)
      if (v) live[static_cast<size_t>(v.id)] = true;
  }
  program.order.assign(kept.rbegin(), kept.rend());
}

}  // namespace

void simplify(Module& module, const PassContext&) {
  for (auto& [name, program] : module.programs) {
    remove_collectives(program);
    merge_subsumed(program);
    merge_equal(program);
    remove_dead(program);
  }
}

}  // namespace anneal
