#include "anneal/ir/interpret.hpp"

#include "anneal/ir/builder.hpp"

namespace anneal {
namespace {

// The expansion of an op as a program of its own: inputs "0", "1", …; outputs likewise.
Program expansion(const OpDef& op, const OpCall& call) {
  Program program;
  Builder b(program);
  std::vector<Value> inputs;
  for (size_t i = 0; i < call.in.size(); ++i)
    inputs.push_back(call.in[i] ? b.input(std::to_string(i), call.in[i]->dtype, call.in[i]->shape)
                                : Value{});
  auto outputs = op.expand(b, call, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) b.output(std::to_string(i), outputs[i]);
  return program;
}

}  // namespace

std::vector<RefTensor> interpret_op(const OpDef& op, const OpCall& call,
                                    std::span<const RefTensor* const> in) {
  OpCall typed = call;
  if (typed.out.empty()) typed.out = op.infer(call);
  std::vector<RefTensor> out(typed.out.size());
  if (op.reference) {
    for (size_t i = 0; i < out.size(); ++i) {
      out[i].shape = typed.out[i].shape;
      out[i].data.assign(static_cast<size_t>(out[i].shape.elements()), 0.0);
    }
    op.reference(typed, in, out);
    return out;
  }
  ANNEAL_ASSERT(op.expand, op.name, " has neither a reference nor an expansion");
  Program program = expansion(op, typed);
  RefState state;
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i]) state.inputs[std::to_string(i)] = *in[i];
  interpret(program, state);
  for (size_t i = 0; i < out.size(); ++i) out[i] = std::move(state.outputs[std::to_string(i)]);
  return out;
}

void interpret(const Program& program, RefState& state) {
  std::vector<RefTensor> values(static_cast<size_t>(program.value_count()));
  auto at = [&](Value v) -> RefTensor& { return values[static_cast<size_t>(v.id)]; };
  for (int32_t id = 0; id < program.value_count(); ++id) {
    Value v{id};
    const auto& info = program.info(v);
    if (info.producer >= 0) continue;
    if (info.persistent >= 0) {
      if (auto it = state.persistents.find(info.persistent); it != state.persistents.end())
        at(v) = it->second;
    } else if (auto it = state.inputs.find(info.name); it != state.inputs.end()) {
      at(v) = it->second;
    }
  }
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    std::vector<const RefTensor*> in;
    for (Value v : node.inputs) {
      if (v)
        ANNEAL_ASSERT(static_cast<int64_t>(at(v).data.size()) == program.type(v).shape.elements(),
                      "input %", v.id, " of ", node.describe(), " was not given");
      in.push_back(v ? &at(v) : nullptr);
    }
    auto out = interpret_op(*node.op, program.call(n), in);
    for (size_t i = 0; i < out.size(); ++i) {
      at(node.outputs[i]) = std::move(out[i]);
      if (int32_t p = program.info(node.outputs[i]).stores; p >= 0)
        state.persistents[p] = at(node.outputs[i]);
    }
  }
  for (const auto& out : program.outputs) state.outputs[out.name] = at(out.value);
  for (const auto& [parameter, value] : program.gradients) state.gradients[parameter] = at(value);
}

}  // namespace anneal
