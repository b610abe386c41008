#include "anneal/ir/builder.hpp"

namespace anneal {

Module& Builder::module() {
  ANNEAL_ASSERT(module_, "this program has no module");
  return *module_;
}

Value Builder::input(const std::string& name, DType dtype, const Shape& shape) {
  return program_.add_input(name, {dtype, shape});
}

void Builder::output(const std::string& name, Value value) {
  program_.outputs.push_back({name, value});
}

Value Builder::parameter(const std::string& name, const Shape& shape, Role role, Init init,
                         bool gradient_may_vanish) {
  std::string full = scope_.empty() ? name : scope_ + "." + name;
  int32_t index = module().find(full);
  if (index < 0) {
    index = module().add_persistent({.name = full,
                                     .type = {DType::f32, shape},
                                     .kind = PersistentKind::parameter,
                                     .role = role,
                                     .init = init,
                                     .gradient_may_vanish = gradient_may_vanish});
  }
  const auto& p = module().persistent(index);
  ANNEAL_ASSERT(p.type.shape == shape, "parameter ", full, " has shape ", p.type.shape,
                ", used with ", shape);
  return program_.persistent_value(index, p.type);
}

Value Builder::persistent(int32_t index) {
  return program_.persistent_value(index, module().persistent(index).type);
}

void Builder::store(int32_t index, Value value) {
  const auto& p = module().persistent(index);
  ValueInfo& info = program_.info(value);
  ANNEAL_ASSERT(info.type == p.type, "stores ", info.type, " to ", p.name, ", which is ", p.type);
  ANNEAL_ASSERT(info.producer >= 0 && info.stores < 0, "only a node's own output can be stored");
  info.stores = index;
}

std::vector<Value> Builder::emit(const OpDef& op, std::vector<Value> inputs, Attrs attrs) {
  ANNEAL_ASSERT(static_cast<int>(inputs.size()) >= op.min_inputs &&
                    static_cast<int>(inputs.size()) <= op.max_inputs,
                op.name, " takes ", op.min_inputs, " to ", op.max_inputs, " inputs, got ",
                inputs.size());
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  Node node{.op = &op,
            .inputs = std::move(inputs),
            .attrs = std::move(attrs),
            .phase = phase_,
            .scope = scope_,
            .location = location_};
  OpCall call{.attrs = node.attrs};
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (Value v = node.inputs[i]) {
      call.in.emplace_back(program_.type(v));
    } else {
      ANNEAL_ASSERT(static_cast<int>(i) >= op.min_inputs, node.describe(), ": input ", i,
                    " is missing");
      call.in.emplace_back(std::nullopt);
    }
  }
  std::vector<TensorType> types;
  try {
    types = op.infer(call);
  } catch (const InternalError& error) {
    throw InternalError(str(node.describe(), ": ", error.what()));
  }
  NodeId id = program_.add_node(std::move(node), types);
  (destination_ ? *destination_ : program_.order).push_back(id);
  return program_.node(id).outputs;
}

Value Builder::emit1(const OpDef& op, std::vector<Value> inputs, Attrs attrs) {
  auto outputs = emit(op, std::move(inputs), std::move(attrs));
  ANNEAL_ASSERT(outputs.size() == 1, op.name, " has ", outputs.size(), " outputs");
  return outputs[0];
}

}  // namespace anneal
