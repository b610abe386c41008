#include <gtest/gtest.h>
#include <algorithm>
#include <cmath>

#include "passes/sample_models.hpp"

// What each pass does to the mathematics of a program, under the FP64 interpreter.

namespace anneal::testing {
namespace {

struct Setting {
  std::string name;
  SampleModel model;
  PassOptions options;
};

std::vector<Setting> settings() {
  std::vector<Setting> result;
  for (const SampleModel& model : sample_models()) {
    auto with = [&](const char* name, PassOptions options) {
      result.push_back({model.name + "_" + name, model, options});
    };
    with("plain", {});
    with("bf16", {.precision = "bf16"});
    with("fp16", {.precision = "fp16"});
    with("block", {.recompute = "block"});
    with("cheap", {.recompute = "cheap"});
    with("attention", {.precision = "bf16", .recompute = "attention", .shards = 2});
  }
  return result;
}

class Interpreted : public ::testing::TestWithParam<Setting> {
 protected:
  const SampleModel& model() const { return GetParam().model; }
  RefState run(const Module& module, const std::string& name) const {
    const Program& program = module.programs.at(name);
    RefState state = sample_state(module, program, model().config.vocab_size);
    interpret(program, state);
    return state;
  }
  CpuTarget target_;
};

void expect_same(const RefState& a, const RefState& b, const std::string& where) {
  ASSERT_EQ(a.outputs.size(), b.outputs.size()) << where;
  for (const auto& [name, tensor] : a.outputs)
    EXPECT_EQ(tensor.data, b.outputs.at(name).data) << where << ", output " << name;
  for (const auto& [index, tensor] : a.persistents) {
    if (!b.persistents.contains(index)) continue;
    EXPECT_EQ(tensor.data, b.persistents.at(index).data) << where << ", persistent " << index;
  }
  for (const auto& [index, tensor] : a.gradients)
    EXPECT_EQ(tensor.data, b.gradients.at(index).data) << where << ", gradient " << index;
}

// Every program that stands before and after a pass computes the same bits: passes that are about
// cost change nothing else. (Storage dtypes are no part of the interpreter's arithmetic.)
TEST_P(Interpreted, PassesKeepEveryBit) {
  auto modules = after_each_pass(model().config, GetParam().options, target_);
  int compared = 0;
  for (size_t i = 1; i < modules.size(); ++i) {
    const auto& [pass, after] = modules[i];
    const Module& before = modules[i - 1].second;
    for (const auto& [name, program] : after.programs) {
      if (!before.programs.contains(name)) continue;
      std::string where = pass + ", program " + name;
      expect_same(run(before, name), run(after, name), where);
      ++compared;
    }
  }
  EXPECT_GT(compared, 40);
}

// The joint program computes the loss of the forward program and, along a random direction in the
// space of all parameters, the slope that central differences of the forward program show.
TEST_P(Interpreted, DifferentiateIsTheSlopeOfTheLoss) {
  auto modules = after_each_pass(model().config, GetParam().options, target_);
  const Module* forward = nullptr;
  const Module* joint = nullptr;
  for (const auto& [pass, module] : modules) {
    if (pass == "expand") forward = &module;
    if (pass == "differentiate") joint = &module;
  }
  ASSERT_TRUE(forward && joint);
  RefState state = run(*joint, "step");
  EXPECT_EQ(state.outputs["loss"].data, run(*forward, "forward").outputs["loss"].data);
  ASSERT_EQ(state.gradients.size(), joint->parameters().size());

  auto loss_at = [&](double step) {
    const Program& program = forward->programs.at("forward");
    RefState moved = sample_state(*forward, program, model().config.vocab_size);
    for (int32_t p : forward->parameters()) {
      auto& data = moved.persistents[p].data;
      for (size_t i = 0; i < data.size(); ++i)
        data[i] +=
            step * number_of("direction " + forward->persistent(p).name, static_cast<int64_t>(i));
    }
    interpret(program, moved);
    return moved.outputs["loss"].data[0];
  };
  double slope = 0, size = 0;
  for (const auto& [p, gradient] : state.gradients) {
    for (size_t i = 0; i < gradient.data.size(); ++i) {
      double d = number_of("direction " + joint->persistent(p).name, static_cast<int64_t>(i));
      slope += gradient.data[i] * d;
      size += std::abs(gradient.data[i] * d);
    }
  }
  double h = 1e-4;
  double measured =
      (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
  // The error of the five-point rule is O(h⁴), that of the differences 1e-16/h.
  EXPECT_NEAR(slope, measured, 1e-8 * size);
}

// step.first writes the gradients of the joint program into the buffers, step.next adds them;
// combine does the same with the buffers of shards; `reduce` is the norm of all.
TEST_P(Interpreted, AccumulateAddsGradients) {
  auto modules = after_each_pass(model().config, GetParam().options, target_);
  const Module* joint = nullptr;
  const Module* split = nullptr;
  for (const auto& [pass, module] : modules) {
    if (pass == "recompute") joint = &module;
    if (pass == "accumulate") split = &module;
  }
  RefState gradients = run(*joint, "step");
  bool shards = GetParam().options.shards > 1;
  RefState first = run(*split, "step.first"), next = run(*split, "step.next");
  EXPECT_EQ(first.outputs["loss"].data, gradients.outputs["loss"].data);
  for (const auto& [p, gradient] : gradients.gradients) {
    int32_t buffer =
        split->companion(p, PersistentKind::gradient, shards ? ".shard_grad" : ".grad");
    ASSERT_GE(buffer, 0);
    RefTensor before = persistent_content(*split, buffer);
    EXPECT_EQ(first.persistents[buffer].data, gradient.data);
    for (size_t i = 0; i < gradient.data.size(); ++i)
      EXPECT_NEAR(next.persistents[buffer].data[i], before.data[i] + gradient.data[i], 1e-14);
  }
  double squares = 0;
  for (int32_t p : split->parameters()) {
    int32_t total = split->companion(p, PersistentKind::gradient, ".grad");
    RefTensor content = persistent_content(*split, total);
    for (double g : content.data) squares += g * g;
    if (!shards) continue;
    int32_t part = split->companion(p, PersistentKind::gradient, ".shard_grad");
    RefTensor share = persistent_content(*split, part);
    RefState begin = run(*split, "combine.first"), more = run(*split, "combine.next");
    EXPECT_EQ(begin.persistents[total].data, share.data);
    for (size_t i = 0; i < share.data.size(); ++i)
      EXPECT_EQ(more.persistents[total].data[i], content.data[i] + share.data[i]);
  }
  double norm = run(*split, "reduce").outputs["grad_norm"].data[0];
  EXPECT_NEAR(norm, std::sqrt(squares), 1e-12 * norm);
}

// On a device with no kernel for any composite op, what runs is their expansions: other ops, the
// same mathematics to FP64's rounding.
TEST_P(Interpreted, ExpansionsComputeTheSame) {
  class PrimitiveTarget final : public Target {
   public:
    bool has_kernel(const OpDef& op, const OpCall&) override {
      return !op.expand || op.elementwise;
    }
    int64_t workspace_bytes(const OpDef&, const OpCall&) override { return 0; }
  } primitive;
  Module direct = build_sample(model().config), expanded = direct;
  Plan plan;
  PassContext context{GetParam().options, primitive, plan};
  expand(expanded, context);
  verify(expanded, "expand");
  for (const auto& [name, program] : expanded.programs)
    for (NodeId n : program.order)
      EXPECT_TRUE(primitive.has_kernel(*program.node(n).op, program.call(n)))
          << program.node(n).op->name << " in " << name;
  for (const auto& [name, program] : direct.programs) {
    RefState a = run(direct, name), b = run(expanded, name);
    for (const auto& [output, tensor] : a.outputs)
      for (size_t i = 0; i < tensor.data.size(); ++i)
        EXPECT_NEAR(tensor.data[i], b.outputs[output].data[i], 1e-11) << name << ", " << output;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Interpreted, ::testing::ValuesIn(settings()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace anneal::testing
