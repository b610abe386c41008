#include "anneal/ir/builder.hpp"
#include "anneal/ops/constant/constant.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/passes/pass.hpp"

// Reverse-mode differentiation: turns `forward` into `step`, the joint program that also computes
// the gradient of its output "loss" with respect to every trainable parameter.

namespace anneal {
namespace {

bool blocks_gradient(const OpDef& op, size_t input) {
  return op.no_gradient & bit(static_cast<int>(input));
}

// Values that depend on a trainable parameter through differentiable inputs.
std::vector<bool> depends_on_parameters(const Module& module, const Program& program) {
  std::vector<bool> depends(static_cast<size_t>(program.value_count()), false);
  for (int32_t id = 0; id < program.value_count(); ++id) {
    int32_t p = program.info(Value{id}).persistent;
    if (p < 0) continue;
    const auto& persistent = module.persistent(p);
    depends[static_cast<size_t>(id)] =
        persistent.kind == PersistentKind::parameter && persistent.trainable;
  }
  for (NodeId n : program.order) {
    const Node& node = program.node(n);
    bool any = false;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] && !blocks_gradient(*node.op, i))
        any |= depends[static_cast<size_t>(node.inputs[i].id)];
    for (Value v : node.outputs)
      depends[static_cast<size_t>(v.id)] = any && is_float(program.type(v).dtype);
  }
  return depends;
}

class Differentiator {
 public:
  Differentiator(Module& module, Program& program)
      : module_(module),
        program_(program),
        b_(program, &module),
        depends_(depends_on_parameters(module, program)),
        gradient_(static_cast<size_t>(program.value_count())) {}

  void run() {
    Value loss = program_.output("loss");
    ANNEAL_ASSERT(loss, "the forward program has no output named loss");
    ANNEAL_ASSERT(program_.type(loss).shape == Shape{}, "the loss is not a scalar");
    b_.set_phase(Phase::backward);
    std::vector<NodeId> forward = program_.order;
    program_.gradient_seed = constant(b_, 1.0, {});
    contribute(loss, program_.gradient_seed);
    for (auto it = forward.rbegin(); it != forward.rend(); ++it) visit_node(*it);
    collect();
  }

 private:
  Value& gradient(Value v) { return gradient_[static_cast<size_t>(v.id)]; }
  bool depends(Value v) const { return v && depends_[static_cast<size_t>(v.id)]; }

  void contribute(Value v, Value g) {
    Value& sum = gradient(v);
    sum = sum ? add(b_, sum, g) : g;
  }

  void visit_node(NodeId n) {
    Node node = program_.node(n);  // a copy: emitting nodes moves the pool
    std::vector<Value> grads;
    bool reached = false;
    for (Value v : node.outputs) {
      grads.push_back(depends(v) ? gradient(v) : Value{});
      reached |= static_cast<bool>(grads.back());
    }
    std::vector<bool> needed;
    bool wanted = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      needed.push_back(depends(node.inputs[i]) && !blocks_gradient(*node.op, i));
      wanted = wanted || needed.back();
    }
    if (!reached || !wanted) return;
    ANNEAL_ASSERT(node.op->vjp, node.describe(), " has no gradient rule");
    b_.set_scope(node.scope, node.location);
    OpCall call = program_.call(n);
    auto result = node.op->vjp({b_, call, node.inputs, node.outputs, grads, needed});
    result.resize(needed.size());
    for (size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      ANNEAL_ASSERT(result[i], node.describe(), " passes no gradient to input ", i,
                    ", which depends on a trainable parameter");
      ANNEAL_ASSERT(program_.type(result[i]).shape == program_.type(node.inputs[i]).shape,
                    node.describe(), ": the gradient of input ", i, " has shape ",
                    program_.type(result[i]).shape);
      contribute(node.inputs[i], result[i]);
    }
  }

  void collect() {
    for (int32_t p : module_.parameters()) {
      const auto& parameter = module_.persistent(p);
      if (!parameter.trainable) continue;
      Value v = program_.persistent_value(p, parameter.type);
      bool known = static_cast<size_t>(v.id) < gradient_.size();
      ANNEAL_ASSERT(known && gradient(v), "no gradient reaches the trainable parameter ",
                    parameter.name);
      program_.gradients[p] = gradient(v);
    }
  }

  Module& module_;
  Program& program_;
  Builder b_;
  std::vector<bool> depends_;
  std::vector<Value> gradient_;
};

}  // namespace

void differentiate(Module& module, const PassContext&) {
  auto node = module.programs.extract("forward");
  if (node.empty()) return;
  Differentiator(module, node.mapped()).run();
  node.key() = "step";
  module.programs.insert(std::move(node));
}

}  // namespace anneal
