// Mutations of the backward pass: a gradient rule that is missing, or that silently passes nothing
// on, is refused before the first update.

#include <gtest/gtest.h>
#include <set>

#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ir/verify.hpp"
#include "anneal/ops/constant/constant.hpp"
#include "anneal/passes/pass.hpp"
#include "train/tiny_model.hpp"

namespace anneal {
namespace {

// One damaged gradient rule: that of node number `node` of the forward program, at one input.
struct Mutation {
  enum class Kind { missing, nothing, zeros } kind = Kind::missing;
  int64_t node = 0;
  size_t input = 0;
};

// What the damaged rule does, which is a plain function and has no other way to know.
struct Damage {
  const OpDef* original = nullptr;
  Mutation mutation;
  bool done = false;
} damage;

std::vector<Value> damaged_rule(const VjpContext& context) {
  auto gradients = damage.original->vjp(context);
  size_t input = damage.mutation.input;
  if (input >= gradients.size() || !context.needs(input) || !gradients[input]) return gradients;
  Shape shape = context.b.shape(gradients[input]);
  gradients[input] =
      damage.mutation.kind == Mutation::Kind::zeros ? constant(context.b, 0.0, shape) : Value{};
  damage.done = true;
  return gradients;
}

struct Described {
  std::string op, scope;
};

// Compiles the model with the damage in place while `differentiate` runs, and only then.
Session compile_damaged(const RunConfig& config, const EngineOptions& options,
                        const Mutation& mutation, CpuTarget& target, Described* described) {
  Module module = build_module(config, options);
  Plan plan;
  PassOptions pass = pass_options(config, module);
  PassContext context{pass, target, plan};
  for (const Pass& each : pipeline()) {
    if (each.name != "differentiate") {
      each.run(module, context);
      verify(module, std::string(each.name));
      continue;
    }
    Program& forward = module.programs.at("forward");
    NodeId id = forward.order.at(static_cast<size_t>(mutation.node));
    Node& node = forward.node(id);
    *described = {std::string(node.op->name), node.scope};
    OpDef mutant = *node.op;
    damage = {node.op, mutation, false};
    mutant.vjp = mutation.kind == Mutation::Kind::missing ? nullptr : damaged_rule;
    node.op = &mutant;
    each.run(module, context);
    module.programs.at("step").node(id).op = damage.original;
  }
  return Session(std::move(module), std::move(plan), target);
}

int64_t forward_nodes(const RunConfig& config, const EngineOptions& options) {
  Module module = build_module(config, options);
  PassOptions pass = pass_options(config, module);
  CpuTarget target;
  Plan plan;
  PassContext context{pass, target, plan};
  for (const Pass& each : pipeline()) {
    if (each.name == "differentiate") break;
    each.run(module, context);
  }
  return static_cast<int64_t>(module.programs.at("forward").order.size());
}

class Audit : public testing::TestWithParam<const char*> {
 protected:
  Audit() : config_(tiny_config(GetParam())) {
    set_threads(1);
    Module module = build_module(config_, options_);
    for (int32_t p : module.parameters()) parameters_.push_back(module.persistent(p).name);
  }

  // Gradients of the first step and their audit, as the trainer does it before the first update.
  static void first_step(Engine& engine) {
    engine.session().initialise(3);
    DrawnBatch batch(engine.config(), 0);
    GradientResult result = engine.gradients(batch.get());
    ASSERT_TRUE(result.finite());
    engine.stepper().audit_gradients(result.grad_norm);
  }

  const EngineOptions options_{.evaluate = false};
  RunConfig config_;
  std::vector<std::string> parameters_;
};

TEST_P(Audit, PassesTheModelAsItIs) {
  CpuTarget target;
  Engine engine(config_, options_, target);
  EXPECT_NO_THROW(first_step(engine));
}

TEST_P(Audit, AMissingRuleOrOneThatReturnsNothingDoesNotCompile) {
  int64_t mutants = 0;
  for (int64_t node = 0; node < forward_nodes(config_, options_); ++node)
    for (auto kind : {Mutation::Kind::missing, Mutation::Kind::nothing})
      for (size_t input = 0; input < (kind == Mutation::Kind::missing ? 1 : 8); ++input) {
        CpuTarget target;
        Described at;
        std::string message;
        damage.done = false;
        try {
          compile_damaged(config_, options_, {kind, node, input}, target, &at);
        } catch (const InternalError& error) {
          message = error.what();
        }
        if (kind == Mutation::Kind::nothing && !damage.done) continue;  // nothing to damage here
        ++mutants;
        EXPECT_NE(message.find(at.op), std::string::npos) << at.op << ": " << message;
        EXPECT_NE(message.find(at.scope), std::string::npos) << at.op << ": " << message;
      }
  EXPECT_GT(mutants, 50);
}

TEST_P(Audit, ARuleThatReturnsZerosIsMetAtTheFirstStep) {
  int64_t refused = 0;
  std::set<std::string> survivors;
  for (int64_t node = 0; node < forward_nodes(config_, options_); ++node)
    for (size_t input = 0; input < 8; ++input) {
      CpuTarget target;
      Described at;
      std::string message;
      try {
        Engine engine(config_, compile_damaged(config_, options_,
                                               {Mutation::Kind::zeros, node, input}, target, &at));
        if (!damage.done) continue;
        first_step(engine);
      } catch (const Error& error) {
        message = error.what();
      }
      if (message.empty()) {
        survivors.insert(str(at.op, " in '", at.scope, "', input ", input));
        continue;
      }
      ++refused;
      EXPECT_NE(message.find("[step 0 audit]"), std::string::npos) << message;
      bool named = false;
      for (const auto& parameter : parameters_)
        named = named || message.find(": " + parameter + " (") != std::string::npos;
      EXPECT_TRUE(named) << message;
    }
  EXPECT_GT(refused, 20);
  // Where a value reaches the loss on another path as well, beside a norm in the residual stream or
  // by the second use of a tied table, every parameter keeps a part of its gradient, and its norm
  // cannot tell the part from the whole. Those rules have the numeric gradients of their op's own
  // test.
  std::string norm = config_.model.family == "gpt2" ? "layernorm" : "rmsnorm";
  std::set<std::string> several_paths;
  for (const char* layer : {"h.0", "h.1"}) {
    several_paths.insert(str("elementwise in '", layer, "', input 0"));
    for (const char* name : {"norm1", "norm2"})
      several_paths.insert(str(norm, " in '", layer, ".", name, "', input 0"));
  }
  if (config_.model.tie_embeddings)
    several_paths.insert({"elementwise in 'embed', input 0", "embedding in 'embed', input 0",
                          "head_loss in 'head', input 1"});
  EXPECT_EQ(survivors, several_paths);
}

TEST_P(Audit, ABatchWithoutTargetsIsRefused) {
  CpuTarget target;
  Engine engine(config_, options_, target);
  engine.session().initialise(3);
  std::string before = state_hash(engine.session());
  DrawnBatch batch(config_, 0);
  batch.mask_all();
  try {
    engine.gradients(batch.get());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no target of step 1 counts"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(state_hash(engine.session()), before);
}

TEST_P(Audit, AFrozenRowIsNotMistakenForACutGradient) {
  // A batch that shows one token only leaves most rows of the embedding without a gradient.
  config_.train.batch = config_.train.micro_batch;
  CpuTarget target;
  Engine engine(config_, options_, target);
  engine.session().initialise(3);
  std::vector<int32_t> tokens(static_cast<size_t>(config_.train.batch * config_.model.context), 1);
  std::vector<int32_t> targets(tokens.size(), -1), positions(tokens.size(), 0);
  targets.back() = 2;
  Batch batch{.rows = config_.train.batch, .context = config_.model.context, .samples = {}};
  batch.tokens = tokens;
  batch.targets = targets;
  batch.positions = positions;
  batch.valid_tokens = 1;
  auto result = engine.gradients(batch);
  EXPECT_NO_THROW(engine.stepper().audit_gradients(result.grad_norm));
}

INSTANTIATE_TEST_SUITE_P(Models, Audit, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace anneal
