#include "anneal/passes/elementwise_groups.hpp"

#include <algorithm>
#include <unordered_map>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/passes/rewrite.hpp"

namespace anneal {
namespace {

constexpr size_t max_group_inputs = 16;
constexpr size_t max_group_outputs = 6;
constexpr size_t max_group_code = 48;

struct Group {
  std::vector<NodeId> nodes;  // in program order
  Shape shape;
  Phase phase;
};

class Grouping {
 public:
  explicit Grouping(Program& program)
      : program_(program), position_(positions_of(program)), readers_(program.readers()) {
    group_of_.assign(static_cast<size_t>(program.node_count()), -1);
    is_output_.assign(static_cast<size_t>(program.value_count()), false);
    for (const auto& out : program.outputs) is_output_[static_cast<size_t>(out.value.id)] = true;
    for (NodeId n : program.order)
      for (Value v : program.node(n).outputs)
        if (int32_t p = program.info(v).stores; p >= 0)
          stored_at_[p] = position_[static_cast<size_t>(n)];
  }

  void form() {
    for (NodeId n : program_.order) {
      const Node& node = program_.node(n);
      if (!node.op->elementwise) continue;
      int best = -1;
      for (Value v : node.inputs) {
        NodeId producer = v ? program_.info(v).producer : -1;
        if (producer < 0) continue;
        int g = group_of_[static_cast<size_t>(producer)];
        if (g > best && can_join(g, n)) best = g;
      }
      if (best < 0) {
        best = static_cast<int>(groups_.size());
        groups_.push_back({{}, shape_of(n), node.phase});
      }
      groups_[static_cast<size_t>(best)].nodes.push_back(n);
      group_of_[static_cast<size_t>(n)] = best;
    }
  }

  // Builds the fused nodes, each at the place of its group's last node.
  void replace() {
    std::unordered_map<NodeId, NodeId> fused_at;
    std::vector<bool> gone(static_cast<size_t>(program_.node_count()), false);
    for (const Group& group : groups_) {
      if (group.nodes.size() < 2) continue;
      for (NodeId n : group.nodes) gone[static_cast<size_t>(n)] = true;
      fused_at[group.nodes.back()] = fused_node(group);
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

  bool in_group(Value v, int g) const {
    NodeId producer = program_.info(v).producer;
    return producer >= 0 && group_of_[static_cast<size_t>(producer)] == g;
  }

  bool read_outside(Value v, int g, NodeId joining) const {
    if (is_output_[static_cast<size_t>(v.id)] || program_.info(v).stores >= 0) return true;
    for (NodeId r : readers_[static_cast<size_t>(v.id)])
      if (r != joining && group_of_[static_cast<size_t>(r)] != g) return true;
    return false;
  }

  // The group moves to n's place: nothing outside may read its results before that, nor may what it
  // reads have been overwritten by then.
  bool can_join(int g, NodeId n) const {
    const Group& group = groups_[static_cast<size_t>(g)];
    if (group.phase != program_.node(n).phase || !(group.shape == shape_of(n))) return false;
    int32_t here = position_[static_cast<size_t>(n)];
    std::vector<Value> inputs;
    size_t outputs = 0, code = 0;
    auto add_inputs = [&](NodeId m) {
      for (Value v : program_.node(m).inputs) {
        if (!in_group(v, g) && std::find(inputs.begin(), inputs.end(), v) == inputs.end())
          inputs.push_back(v);
      }
      code += program_.node(m).attrs.as<ElementwiseAttrs>().code.size();
    };
    for (NodeId m : group.nodes) {
      add_inputs(m);
      for (Value v : program_.node(m).outputs) {
        outputs += read_outside(v, g, n);
        for (NodeId r : readers_[static_cast<size_t>(v.id)])
          if (r != n && group_of_[static_cast<size_t>(r)] != g &&
              position_[static_cast<size_t>(r)] < here)
            return false;
      }
    }
    add_inputs(n);
    for (Value v : inputs) {
      int32_t p = program_.info(v).persistent;
      auto stored = p >= 0 ? stored_at_.find(p) : stored_at_.end();
      if (stored == stored_at_.end() || stored->second >= here) continue;
      bool by_the_group = std::any_of(group.nodes.begin(), group.nodes.end(), [&](NodeId m) {
        return position_[static_cast<size_t>(m)] == stored->second;
      });
      if (!by_the_group) return false;
    }
    return inputs.size() <= max_group_inputs && code <= max_group_code &&
           outputs + program_.node(n).outputs.size() <= max_group_outputs;
  }

  NodeId fused_node(const Group& group) {
    int g = group_of_[static_cast<size_t>(group.nodes[0])];
    ElementwiseAttrs fused;
    std::vector<Value> inputs, outputs;
    for (NodeId n : group.nodes)
      for (Value v : program_.node(n).inputs)
        if (!in_group(v, g) && std::find(inputs.begin(), inputs.end(), v) == inputs.end())
          inputs.push_back(v);
    fused.inputs = static_cast<int32_t>(inputs.size());
    std::unordered_map<int32_t, int32_t> operand_of;  // value id -> operand
    for (size_t i = 0; i < inputs.size(); ++i) operand_of[inputs[i].id] = static_cast<int32_t>(i);
    for (NodeId n : group.nodes) {
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
        if (read_outside(node.outputs[o], g, -1)) outputs.push_back(node.outputs[o]);
      }
    }
    std::vector<TensorType> types;
    for (Value v : outputs) {
      fused.results.push_back(operand_of.at(v.id));
      types.push_back(program_.type(v));
    }
    Node node = program_.node(group.nodes.back());
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
  std::unordered_map<int32_t, int32_t> stored_at_;  // persistent -> position
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
