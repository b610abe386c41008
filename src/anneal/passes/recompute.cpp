#include <algorithm>
#include <unordered_map>

#include "anneal/ir/builder.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Activation recomputation (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016):
// forward nodes of a region are run again just before its first backward node, so that their
// results need not be kept. A region is a block ("h.3") or the attention part of one ("h.3.attn").
// Of a region either all is run again, so that only what enters it is kept, or only what takes no
// matrix product and reads nothing but what is kept anyway. Random masks are functions of their
// key, hence the same the second time.

namespace anneal {
namespace {

using Flags = std::vector<bool>;  // of each value, or of each node

bool flag(const Flags& flags, int32_t id) { return flags[static_cast<size_t>(id)]; }

// "h.3" (or "h.3.attn") for scopes inside a region, else "".
std::string region_of(const std::string& scope, bool attention_only) {
  std::string block = layer_of(scope);
  size_t dot = block.find('.');
  if (dot == std::string::npos) return "";
  if (!attention_only) return block;
  std::string region = block + ".attn";
  return scope == region || scope.starts_with(region + ".") ? region : "";
}

struct Region {
  std::vector<NodeId> forward, backward;
};

// In the order of their first nodes.
std::vector<Region> regions_of(const Program& program, bool attention_only) {
  std::vector<Region> regions;
  std::unordered_map<std::string, size_t> index;
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    std::string name = region_of(node.scope, attention_only);
    if (name.empty()) continue;
    auto [it, fresh] = index.emplace(name, regions.size());
    if (fresh) regions.emplace_back();
    Region& region = regions[it->second];
    if (node.phase == Phase::forward) region.forward.push_back(n);
    if (node.phase == Phase::backward) region.backward.push_back(n);
  }
  return regions;
}

Flags read_by(const Program& program, const std::vector<NodeId>& nodes) {
  Flags read(static_cast<size_t>(program.value_count()), false);
  for (NodeId n : nodes)
    for (Value v : program.node(n).inputs)
      if (v) read[static_cast<size_t>(v.id)] = true;
  return read;
}

// The nodes of `from`, in order, whose outputs are wanted, by others or by one of them; what is
// kept anyway is not made again for their sake.
std::vector<NodeId> needed(const Program& program, const std::vector<NodeId>& from, Flags wanted,
                           const Flags& kept) {
  std::vector<NodeId> result;
  for (auto it = from.rbegin(); it != from.rend(); ++it) {
    const Node& node = program.node(*it);
    if (std::none_of(node.outputs.begin(), node.outputs.end(),
                     [&](Value v) { return flag(wanted, v.id); }))
      continue;
    result.push_back(*it);
    for (Value v : node.inputs)
      if (v && !flag(kept, v.id)) wanted[static_cast<size_t>(v.id)] = true;
  }
  std::reverse(result.begin(), result.end());
  return result;
}

// All that the region's backward needs, from what enters the region.
std::vector<NodeId> everything(const Program& program, const Region& region) {
  const Flags nothing(static_cast<size_t>(program.value_count()), false);
  return needed(program, region.forward, read_by(program, region.backward), nothing);
}

// Of a region, the nodes that take no matrix product, read only what is kept anyway or comes from
// another of them, and give something that only the region's backward would keep in memory.
std::vector<NodeId> cheap_and_worth_it(const Program& program, const Region& region) {
  std::vector<NodeId> others, all_backward;
  Flags inside(static_cast<size_t>(program.node_count()), false);
  for (NodeId n : region.backward) inside[static_cast<size_t>(n)] = true;
  for (NodeId n : program.order) {
    if (program.node(n).phase == Phase::forward) continue;
    all_backward.push_back(n);
    if (!flag(inside, n)) others.push_back(n);
  }
  const Flags wanted_by_others = read_by(program, others);
  const Flags kept = read_by(program, all_backward);

  Flags can_run_again(static_cast<size_t>(program.node_count()), false);
  auto at_hand = [&](Value v) {
    NodeId producer = program.info(v).producer;
    return producer < 0 || flag(kept, v.id) || flag(can_run_again, producer);
  };
  Flags saved(static_cast<size_t>(program.value_count()), false);
  std::vector<NodeId> cheap;
  for (NodeId n : region.forward) {
    const Node& node = program.node(n);
    if (node.op->collective || !products_of(*node.op, program.call(n)).empty() ||
        !std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](Value v) { return !v || at_hand(v); }))
      continue;
    can_run_again[static_cast<size_t>(n)] = true;
    cheap.push_back(n);
    // Statistics alone, a number a row, are not worth another pass over their input.
    int64_t all = 0, only_here = 0;
    for (Value v : node.outputs) {
      all += program.type(v).bytes();
      if (flag(kept, v.id) && !flag(wanted_by_others, v.id)) only_here += program.type(v).bytes();
    }
    for (Value v : node.outputs) saved[static_cast<size_t>(v.id)] = 2 * only_here >= all;
  }
  return needed(program, cheap, std::move(saved), kept);
}

// Copies the nodes to just before the region's first backward node; its backward reads the copies.
// What the region hands on to others is theirs to save.
void run_again(Program& program, const Region& region, const std::vector<NodeId>& nodes) {
  std::unordered_map<int32_t, Value> copy_of;
  auto read_copies = [&](Node& node) {
    for (Value& v : node.inputs)
      if (auto it = copy_of.find(v.id); it != copy_of.end()) v = it->second;
  };
  std::vector<NodeId> copies;
  for (NodeId n : nodes) {
    Node node = program.node(n);
    node.phase = Phase::recompute;
    std::vector<TensorType> types;
    for (Value v : node.outputs) types.push_back(program.type(v));
    read_copies(node);
    std::vector<Value> originals = node.outputs;
    NodeId copy = program.add_node(std::move(node), types);
    copies.push_back(copy);
    for (size_t i = 0; i < originals.size(); ++i)
      copy_of[originals[i].id] = program.node(copy).outputs[i];
  }
  for (NodeId n : region.backward) read_copies(program.node(n));
  Insertions insertions;
  insertions.before(region.backward.front()) = copies;
  insertions.apply(program);
}

}  // namespace

void recompute(Module& module, const PassContext& context) {
  const std::string& what = context.options.recompute;
  if (what == "none") return;
  auto it = module.programs.find("step");
  if (it == module.programs.end()) return;
  Program& program = it->second;
  auto regions = regions_of(program, what == "attention");
  for (auto region = regions.rbegin(); region != regions.rend(); ++region) {
    if (region->backward.empty()) continue;
    run_again(
        program, *region,
        what == "cheap" ? cheap_and_worth_it(program, *region) : everything(program, *region));
  }
}

}  // namespace anneal
