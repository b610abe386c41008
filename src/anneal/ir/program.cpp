#include "anneal/ir/program.hpp"

namespace anneal {

std::ostream& operator<<(std::ostream& out, const TensorType& type) {
  return out << name_of(type.dtype) << type.shape;
}

std::string_view name_of(Phase phase) {
  constexpr std::string_view names[] = {"forward", "recompute", "backward", "reduce", "apply"};
  return names[static_cast<int>(phase)];
}

std::string Node::describe() const { return str(op->name, " in '", scope, "' (", location, ")"); }

std::vector<MatrixProduct> products_of(const OpDef& op, const OpCall& call) {
  return op.products ? op.products(call) : std::vector<MatrixProduct>{};
}

Cost cost_of(const OpDef& op, const OpCall& call) {
  if (op.cost) return op.cost(call);
  Cost cost;
  for (const auto& type : call.in)
    if (type) cost.bytes += static_cast<double>(type->bytes());
  for (const auto& type : call.out) cost.bytes += static_cast<double>(type.bytes());
  return cost;
}

Value Program::add_value(ValueInfo info) {
  values_.push_back(std::move(info));
  return Value{value_count() - 1};
}

Value Program::add_input(std::string name, TensorType type) {
  ANNEAL_ASSERT(!input(name), "input ", name, " exists");
  Value v = add_value({.type = type, .name = std::move(name)});
  inputs_.push_back(v);
  return v;
}

Value Program::persistent_value(int32_t index, const TensorType& type) {
  for (int32_t id = 0; id < value_count(); ++id)
    if (values_[static_cast<size_t>(id)].persistent == index) return Value{id};
  return add_value({.type = type, .persistent = index});
}

NodeId Program::add_node(Node node, const std::vector<TensorType>& output_types) {
  NodeId id = node_count();
  node.outputs.clear();
  for (const auto& type : output_types)
    node.outputs.push_back(add_value({.type = type, .producer = id}));
  nodes_.push_back(std::move(node));
  return id;
}

OpCall Program::call(NodeId n) const {
  const Node& nd = node(n);
  OpCall call{.attrs = nd.attrs};
  for (Value v : nd.inputs) {
    if (v)
      call.in.emplace_back(type(v));
    else
      call.in.emplace_back(std::nullopt);
  }
  for (Value v : nd.outputs) call.out.push_back(type(v));
  return call;
}

Value Program::input(std::string_view name) const {
  for (Value v : inputs_)
    if (info(v).name == name) return v;
  return {};
}

Value Program::output(std::string_view name) const {
  for (const auto& out : outputs)
    if (out.name == name) return out.value;
  return {};
}

std::vector<std::vector<NodeId>> Program::readers() const {
  std::vector<std::vector<NodeId>> result(values_.size());
  for (NodeId n : order) {
    for (Value v : node(n).inputs) {
      if (!v) continue;
      auto& list = result[static_cast<size_t>(v.id)];
      if (list.empty() || list.back() != n) list.push_back(n);
    }
  }
  return result;
}

void Program::replace_uses(Value from, Value to) {
  for (NodeId n : order)
    for (Value& v : node(n).inputs)
      if (v == from) v = to;
  for (auto& out : outputs)
    if (out.value == from) out.value = to;
  for (auto& [parameter, value] : gradients)
    if (value == from) value = to;
}

}  // namespace anneal
