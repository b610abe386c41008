#include "anneal/passes/elementwise_groups.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/passes/rewrite.hpp"

namespace anneal {
namespace {

constexpr size_t max_group_inputs = 16;
constexpr size_t max_group_outputs = 6;
constexpr size_t max_group_code = 48;

// Nodes that become one, in program order.
using Group = std::vector<NodeId>;

class Grouping {
 public:
  explicit Grouping(Program& program)
      : program_(program), position_(positions_of(program)), readers_(program.readers()) {
    group_of_.assign(static_cast<size_t>(program.node_count()), -1);
    is_output_.assign(static_cast<size_t>(program.value_count()), false);
    for (const auto& out : program.outputs) is_output_[static_cast<size_t>(out.value.id)] = true;
    for (NodeId n : program.order)
      for (Value v : program.node(n).outputs)
        if (int32_t p = program.info(v).stores; p >= 0) stored_by_[p] = n;
  }

  // Each node, in program order, joins the groups that its inputs come from, and by that makes one
  // group of several where they can be one.
  void form() {
    for (NodeId n : program_.order) {
      const Node& node = program_.node(n);
      if (!node.op->elementwise) continue;
      std::vector<NodeId> nodes = {n};
      for (Value v : node.inputs) {
        NodeId producer = v ? program_.info(v).producer : -1;
        int g = producer < 0 ? -1 : group_of_[static_cast<size_t>(producer)];
        if (g < 0 || contains(nodes, producer)) continue;
        std::vector<NodeId> united = merged(groups_[static_cast<size_t>(g)], nodes);
        if (!can_be_one(united)) continue;
        nodes = std::move(united);
        groups_[static_cast<size_t>(g)].clear();
      }
      for (NodeId m : nodes) group_of_[static_cast<size_t>(m)] = static_cast<int>(groups_.size());
      groups_.push_back(std::move(nodes));
    }
  }

  // Builds the fused nodes, each at the place of its group's last node.
  void replace() {
    std::unordered_map<NodeId, NodeId> fused_at;
    std::vector<bool> gone(static_cast<size_t>(program_.node_count()), false);
    for (const Group& group : groups_) {
      if (group.size() < 2) continue;
      for (NodeId n : group) gone[static_cast<size_t>(n)] = true;
      fused_at[group.back()] = fused_node(group);
    }
    std::vector<NodeId> order;
    for (NodeId n : program_.order) {
      if (auto it = fused_at.find(n); it != fused_at.end())
        order.push_back(it->second);
      else if (!gone[static_cast<size_t>(n)])
        order.push_back(n);
    }
    program_.order = std::move(order);
    for (auto [from, to] : renamed_) program_.replace_uses(from, to);
  }

 private:
  Shape shape_of(NodeId n) const { return program_.type(program_.node(n).outputs[0]).shape; }

  bool before(NodeId a, NodeId b) const {
    return position_[static_cast<size_t>(a)] < position_[static_cast<size_t>(b)];
  }

  bool contains(const Group& group, NodeId n) const {
    return std::binary_search(group.begin(), group.end(), n,
                              [this](NodeId a, NodeId b) { return before(a, b); });
  }

  Group merged(const Group& a, const Group& b) const {
    Group result;
    std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result),
               [this](NodeId x, NodeId y) { return before(x, y); });
    return result;
  }

  bool inside(Value v, const Group& group) const {
    NodeId producer = program_.info(v).producer;
    return producer >= 0 && contains(group, producer);
  }

  bool read_outside(Value v, const Group& group) const {
    if (is_output_[static_cast<size_t>(v.id)] || program_.info(v).stores >= 0) return true;
    const auto& readers = readers_[static_cast<size_t>(v.id)];
    return std::any_of(readers.begin(), readers.end(),
                       [&](NodeId r) { return !contains(group, r); });
  }

  std::vector<Value> inputs_of(const Group& group) const {
    std::vector<Value> inputs;
    for (NodeId n : group)
      for (Value v : program_.node(n).inputs)
        if (!inside(v, group) && std::find(inputs.begin(), inputs.end(), v) == inputs.end())
          inputs.push_back(v);
    return inputs;
  }

  // The fused node stands at the place of the group's last: nothing outside may read its results
  // before that, nor may what it reads have been overwritten by then.
  bool can_be_one(const Group& group) const {
    NodeId last = group.back();
    size_t outputs = 0, code = 0;
    for (NodeId m : group) {
      const Node& node = program_.node(m);
      if (node.phase != program_.node(last).phase || !(shape_of(m) == shape_of(last))) return false;
      code += node.attrs.as<ElementwiseAttrs>().code.size();
      for (Value v : node.outputs) {
        outputs += read_outside(v, group);
        for (NodeId r : readers_[static_cast<size_t>(v.id)])
          if (before(r, last) && !contains(group, r)) return false;
      }
    }
    std::vector<Value> inputs = inputs_of(group);
    for (Value v : inputs) {
      int32_t p = program_.info(v).persistent;
      auto stored = p >= 0 ? stored_by_.find(p) : stored_by_.end();
      if (stored == stored_by_.end() || !before(stored->second, last)) continue;
      if (!contains(group, stored->second)) return false;
    }
    return inputs.size() <= max_group_inputs && code <= max_group_code &&
           outputs <= max_group_outputs;
  }

  NodeId fused_node(const Group& group) {
    ElementwiseAttrs fused;
    std::vector<Value> inputs = inputs_of(group), outputs;
    fused.inputs = static_cast<int32_t>(inputs.size());
    std::unordered_map<int32_t, int32_t> operand_of;  // value id -> operand
    for (size_t i = 0; i < inputs.size(); ++i) operand_of[inputs[i].id] = static_cast<int32_t>(i);
    for (NodeId n : group) {
      const Node& node = program_.node(n);
      const auto& attrs = node.attrs.as<ElementwiseAttrs>();
      auto base = fused.inputs + static_cast<int32_t>(fused.code.size());
      auto operand = [&](int32_t i) {
        return i < attrs.inputs ? operand_of.at(node.inputs[static_cast<size_t>(i)].id)
                                : base + (i - attrs.inputs);
      };
      for (EwInstruction code : attrs.code) {
        code.a = operand(code.a);
        if (code.b >= 0) code.b = operand(code.b);
        fused.code.push_back(code);
      }
      for (size_t o = 0; o < node.outputs.size(); ++o) {
        operand_of[node.outputs[o].id] = operand(attrs.results[o]);
        if (read_outside(node.outputs[o], group)) outputs.push_back(node.outputs[o]);
      }
    }
    std::vector<TensorType> types;
    for (Value v : outputs) {
      fused.results.push_back(operand_of.at(v.id));
      types.push_back(program_.type(v));
    }
    Node node = program_.node(group.back());
    node.inputs = inputs;
    node.attrs = Attrs::of(std::move(fused));
    NodeId id = program_.add_node(std::move(node), types);
    for (size_t o = 0; o < outputs.size(); ++o) {
      Value fresh = program_.node(id).outputs[o];
      program_.info(fresh).stores = program_.info(outputs[o]).stores;
      program_.info(outputs[o]).stores = -1;
      renamed_.emplace_back(outputs[o], fresh);
    }
    return id;
  }

  Program& program_;
  std::vector<int32_t> position_;
  std::vector<std::vector<NodeId>> readers_;
  std::vector<int> group_of_;
  std::vector<bool> is_output_;
  std::unordered_map<int32_t, NodeId> stored_by_;  // persistent -> node
  std::vector<Group> groups_;
  std::vector<std::pair<Value, Value>> renamed_;
};

}  // namespace

void fuse_elementwise(Program& program) {
  Grouping grouping(program);
  grouping.form();
  grouping.replace();
}

}  // namespace anneal
