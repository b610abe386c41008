#include <algorithm>
#include <unordered_map>

#include "anneal/ir/builder.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/passes/rewrite.hpp"

// Activation recomputation (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016):
// the forward nodes of a region are run again just before its first backward node, so that only
// what enters the region is kept from the forward pass. A region is a block ("h.3") or the
// attention part of one ("h.3.attn"). Random masks are functions of their key, hence the same the
// second time.

namespace anneal {
namespace {

// "h.3" (or "h.3.attn") for scopes inside a region, else "".
std::string region_of(const std::string& scope, bool attention_only) {
  std::string block = layer_of(scope);
  size_t dot = block.find('.');
  if (dot == std::string::npos) return "";
  if (!attention_only) return block;
  std::string region = block + ".attn";
  return scope == region || scope.starts_with(region + ".") ? region : "";
}

void recompute_region(Program& program, const std::string& region, bool attention_only) {
  std::vector<NodeId> forward;
  NodeId trigger = -1;
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    if (region_of(node.scope, attention_only) != region) continue;
    if (node.phase == Phase::forward) forward.push_back(n);
    if (node.phase == Phase::backward && trigger < 0) trigger = n;
  }
  if (trigger < 0) return;

  // Forward nodes whose outputs the region's backward needs, and what they need inside the region.
  std::vector<bool> wanted(static_cast<size_t>(program.value_count()), false);
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    if (node.phase == Phase::forward || region_of(node.scope, attention_only) != region) continue;
    for (Value v : node.inputs)
      if (v) wanted[static_cast<size_t>(v.id)] = true;
  }
  std::vector<NodeId> again;
  for (auto it = forward.rbegin(); it != forward.rend(); ++it) {
    const Node& node = program.node(*it);
    bool any = std::any_of(node.outputs.begin(), node.outputs.end(),
                           [&](Value v) { return wanted[static_cast<size_t>(v.id)]; });
    if (!any) continue;
    again.push_back(*it);
    for (Value v : node.inputs)
      if (v) wanted[static_cast<size_t>(v.id)] = true;
  }
  std::reverse(again.begin(), again.end());

  std::unordered_map<int32_t, Value> copy_of;
  std::vector<NodeId> copies;
  for (NodeId n : again) {
    Node node = program.node(n);
    node.phase = Phase::recompute;
    std::vector<TensorType> types;
    for (Value v : node.outputs) types.push_back(program.type(v));
    for (Value& v : node.inputs)
      if (auto it = copy_of.find(v.id); it != copy_of.end()) v = it->second;
    std::vector<Value> originals = node.outputs;
    NodeId copy = program.add_node(std::move(node), types);
    copies.push_back(copy);
    for (size_t i = 0; i < originals.size(); ++i)
      copy_of[originals[i].id] = program.node(copy).outputs[i];
  }
  // What the region hands on to others is theirs to save; only its own backward reads the copies.
  for (NodeId n : program.order) {
    Node& node = program.node(n);
    if (node.phase == Phase::forward || region_of(node.scope, attention_only) != region) continue;
    if (node.phase == Phase::recompute) continue;
    for (Value& v : node.inputs)
      if (auto it = copy_of.find(v.id); it != copy_of.end()) v = it->second;
  }
  Insertions insertions;
  insertions.before(trigger) = copies;
  insertions.apply(program);
}

}  // namespace

void recompute(Module& module, const PassContext& context) {
  if (context.options.recompute == "none") return;
  auto it = module.programs.find("step");
  if (it == module.programs.end()) return;
  Program& program = it->second;
  bool attention_only = context.options.recompute == "attention";
  std::vector<std::string> regions;
  for (NodeId n : program.order) {
    std::string region = region_of(program.node(n).scope, attention_only);
    if (!region.empty() && std::find(regions.begin(), regions.end(), region) == regions.end())
      regions.push_back(region);
  }
  for (auto region = regions.rbegin(); region != regions.rend(); ++region)
    recompute_region(program, *region, attention_only);
}

}  // namespace anneal
