#include <gtest/gtest.h>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/embedding/embedding.hpp"
#include "anneal/ops/matmul/matmul.hpp"
#include "anneal/ops/reduce/sum_to.hpp"
#include "passes/sample_models.hpp"

// Programs that passes refuse, and small programs whose rewriting can be said in full.

namespace anneal::testing {
namespace {

std::string refusal(Module module, const PassOptions& options = {}) {
  CpuTarget target;
  try {
    run_passes(module, options, target);
  } catch (const InternalError& e) {
    return e.what();
  }
  return "";
}

// loss = x·w, a scalar; `also` may add to the program.
Module product(const std::function<void(Builder&, Value loss)>& also = {}) {
  Module module;
  Builder b(module.programs["forward"], &module);
  ScopeGuard scope(b, "net");
  Value x = b.input("x", DType::f32, {});
  Value loss = mul(b, x, b.parameter("w", {}, Role::matrix, {}));
  if (also) also(b, loss);
  b.output("loss", loss);
  return module;
}

TEST(Differentiate, RefusesAParameterThatTheLossDoesNotDependOn) {
  EXPECT_EQ(refusal(product()), "");
  std::string message = refusal(product([](Builder& b, Value loss) {
    b.output("unused", mul(b, loss, b.parameter("idle", {}, Role::matrix, {})));
  }));
  EXPECT_NE(message.find("net.idle"), std::string::npos) << message;
}

TEST(Differentiate, RefusesAnOpWithoutGradient) {
  static const OpDef opaque = [] {
    OpDef op;
    op.name = "opaque";
    op.min_inputs = op.max_inputs = 1;
    op.infer = [](const OpCall& call) { return std::vector<TensorType>{call.input(0)}; };
    op.reference = [](const OpCall&, std::span<const RefTensor* const> in,
                      std::span<RefTensor> out) { out[0] = *in[0]; };
    return op;
  }();
  static const OpDef cutting = [] {
    OpDef op = opaque;
    op.name = "cutting";
    op.vjp = [](const VjpContext& c) { return std::vector<Value>(c.inputs.size()); };
    return op;
  }();
  static const OpDef bending = [] {
    OpDef op = opaque;
    op.name = "bending";
    op.vjp = [](const VjpContext& c) {
      return std::vector<Value>{c.b.input("g", DType::f32, {2, 3})};
    };
    return op;
  }();
  auto with = [](const OpDef& op) {
    Module module;
    Builder b(module.programs["forward"], &module);
    ScopeGuard scope(b, "net");
    Value w = b.parameter("w", {}, Role::matrix, {});
    b.output("loss", mul(b, b.emit1(op, {w}), w));
    return module;
  };
  // `expand` comes first in the pipeline and asks the device; here only this pass is looked at.
  auto differentiated = [](Module module) -> std::string {
    CpuTarget target;
    PassOptions options;
    Plan plan;
    PassContext context{options, target, plan};
    try {
      differentiate(module, context);
    } catch (const InternalError& e) {
      return e.what();
    }
    return "";
  };
  for (auto [op, part] : {std::pair{&opaque, "has no gradient rule"},
                          std::pair{&cutting, "passes no gradient to input 0"},
                          std::pair{&bending, "has shape [2,3]"}}) {
    std::string message = differentiated(with(*op));
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find("'net'"), std::string::npos) << message;
  }
}

TEST(Differentiate, WantsAScalarLoss) {
  Module none = product();
  none.programs["forward"].outputs[0].name = "cost";
  EXPECT_NE(refusal(none).find("no output named loss"), std::string::npos);
  Module vector;
  Builder b(vector.programs["forward"], &vector);
  b.output("loss", b.parameter("w", {3}, Role::matrix, {}));
  EXPECT_NE(refusal(vector).find("not a scalar"), std::string::npos);
}

// The use of one parameter in two places: both contributions arrive, in one buffer.
TEST(Differentiate, AddsTheGradientsOfEveryUse) {
  Module module;
  Builder b(module.programs["forward"], &module);
  Value w = b.parameter("w", {}, Role::matrix, {});
  Value x = b.input("x", DType::f32, {});
  b.output("loss", add(b, mul(b, w, x), mul(b, w, w)));  // d/dw = x + 2·w
  CpuTarget target;
  run_passes(module, {}, target);
  RefState state;
  state.inputs["x"] = {{}, {5}};
  state.persistents[0] = {{}, {3}};
  interpret(module.programs.at("step.first"), state);
  int32_t g = module.companion(0, PersistentKind::gradient);
  EXPECT_EQ(state.persistents[g].data[0], 11);
  interpret(module.programs.at("step.next"), state);
  EXPECT_EQ(state.persistents[g].data[0], 22);
}

TEST(Differentiate, LeavesFrozenParametersAlone) {
  Module module = product([](Builder& b, Value) { b.parameter("frozen", {}, Role::matrix, {}); });
  module.persistents[0].trainable = false;
  module.persistents[1].trainable = false;
  Program& forward = module.programs["forward"];
  Builder b(forward, &module);
  Value trained = b.parameter("trained", {}, Role::matrix, {});
  Value loss = mul(b, forward.output("loss"), trained);
  forward.outputs[0].value = loss;
  CpuTarget target;
  run_passes(module, {}, target);
  EXPECT_EQ(module.companion(0, PersistentKind::gradient), -1);
  EXPECT_EQ(module.companion(0, PersistentKind::moment), -1);
  EXPECT_GE(module.companion(module.find("trained"), PersistentKind::gradient), 0);
}

TEST(Simplify, MergesEqualNodesOfOnePhaseAndDropsDeadOnes) {
  Module module;
  Program& program = module.programs["evaluate"];
  Builder b(program, &module);
  Value x = b.input("x", DType::f32, {4});
  Value a = tanh(b, x), again = tanh(b, x);
  relu(b, a);  // nobody reads it
  b.set_phase(Phase::recompute);
  Value recomputed = tanh(b, x);
  b.output("y", add(b, add(b, a, again), recomputed));
  CpuTarget target;
  PassOptions options;
  Plan plan;
  simplify(module, {options, target, plan});
  // Of two equal forward nodes one stays; the one of another phase does too.
  EXPECT_EQ(program.order.size(), 4u);
  EXPECT_EQ(program.node(program.info(program.output("y")).producer).inputs[1], recomputed);
}

// Weight gradients of the matrix products are added to their buffers by the products themselves.
TEST(Fuse, NoGradientIsAddedInAPassOfItsOwn) {
  for (const SampleModel& model : sample_models()) {
    CpuTarget target;
    Module module = build_sample(model.config);
    run_passes(module, {}, target);
    const Program& next = module.programs.at("step.next");
    int matrices = 0;
    for (NodeId n : next.order) {
      const Node& node = next.node(n);
      int32_t stored = next.info(node.outputs[0]).stores;
      if (stored < 0 || node.op != &matmul_op()) continue;
      ASSERT_EQ(node.inputs.size(), 4u);
      EXPECT_EQ(next.info(node.inputs[3]).persistent, stored);
      ++matrices;
    }
    EXPECT_EQ(matrices, model.name == "gpt2" ? 2 * 4 : 2 * 4) << model.name;
  }
}

// A sum whose first term is wanted for itself is not made in that term's place.
TEST(Fuse, LeavesTermsThatAreWantedForThemselves) {
  for (bool stored : {false, true}) {
    Module module;
    Program& program = module.programs["evaluate"];
    Builder b(program, &module);
    int32_t kept = module.add_persistent(
        {.name = "kept", .type = {DType::f32, {3, 5}}, .kind = PersistentKind::state});
    Value x = b.input("x", DType::f32, {3, 4}), w = b.input("w", DType::f32, {4, 5});
    Value first = square(b, b.input("y", DType::f32, {3, 5}));
    if (stored)
      b.store(kept, first);
    else
      b.output("first", first);
    b.output("sum", add(b, first, matmul(b, x, w)));
    CpuTarget target;
    Plan plan = run_passes(module, {}, target);
    for (NodeId n : program.order)
      if (program.node(n).op == &matmul_op()) {
        EXPECT_EQ(program.node(n).inputs.size(), 2u);
      }
    int64_t place =
        plan.programs.at("evaluate").value_offset[static_cast<size_t>(program.output("sum").id)];
    if (stored) {
      EXPECT_NE(place, plan.persistent_offset[static_cast<size_t>(kept)]);
    }
  }
}

// Terms of a parameter's gradient are summed in FP32, also where each is read by a sum only.
TEST(MixedPrecision, KeepsEveryTermOfAGradient) {
  Module module;
  Builder b(module.programs["forward"], &module);
  Value w = b.parameter("w", {6, 6}, Role::matrix, {});
  Value x = b.input("x", DType::f32, {4, 6});
  Value y = matmul(b, tanh(b, matmul(b, x, w)), w);
  b.output("loss", sum_to(b, square(b, y), {}));
  CpuTarget target;
  run_passes(module, {.precision = "bf16"}, target, [](const Pass& pass, const Module& m, double) {
    if (pass.name != "mixed_precision") return;
    const Program& step = m.programs.at("step");
    const Node& total = step.node(step.info(step.gradients.at(0)).producer);
    ASSERT_TRUE(total.op->sums_inputs);
    for (Value term : total.inputs) EXPECT_EQ(step.type(term).dtype, DType::f32);
  });
}

// The update of a parameter reads and writes each of its tensors once, its copy in low precision
// included.
TEST(Fuse, TheUpdateOfAParameterIsOneNode) {
  for (const char* kind : {"adamw", "adam", "sgd"}) {
    for (const char* precision : {"fp32", "bf16", "fp16"}) {
      CpuTarget target;
      Module module = build_sample(sample_models()[0].config);
      PassOptions options{.precision = precision};
      options.optimizer = {.kind = kind, .weight_decay = 0.1, .momentum = 0.9, .nesterov = true};
      run_passes(module, options, target);
      EXPECT_EQ(module.programs.at("apply").order.size(), module.parameters().size())
          << kind << " " << precision;
    }
  }
}

}  // namespace
}  // namespace anneal::testing
