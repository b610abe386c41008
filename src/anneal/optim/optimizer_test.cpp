#include "anneal/optim/optimizer.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <functional>

#include "anneal/ir/interpret.hpp"
#include "anneal/ir/verify.hpp"

namespace anneal {
namespace {

// One number of a parameter and what an optimizer keeps of it; the rules below are written down
// from the papers, number by number.
struct Number {
  double p, m = 0, v = 0;
};

// The FP64 interpreter runs what the optimizer emits for a matrix and a bias over 100 updates,
// beside the same rule in closed form. Gradients are of all sizes, zero among them.
void expect_follows(
    const OptimizerConfig& config,
    const std::function<void(Number&, double g, bool decays, int64_t t, double lr)>& rule) {
  const Optimizer& optimizer = find_optimizer(config.kind);
  Module module;
  Program& program = module.programs["apply"];
  Builder b(program, &module);
  constexpr int64_t n = 6;
  for (Role role : {Role::matrix, Role::bias}) {
    std::string name(name_of(role));
    b.parameter(name, {n}, role, {});
    int32_t index = module.find(name);
    UpdateBuilder update(b, index, b.input("gradient." + name, DType::f32, {n}));
    b.store(index, optimizer.update(update, config));
  }
  verify(module, "building the update");

  RefState state;
  std::vector<std::vector<Number>> expected(2);
  for (size_t i = 0; i < module.persistents.size(); ++i) {
    auto& t = state.persistents[static_cast<int32_t>(i)];
    t = {{n}, std::vector<double>(n, 0.0)};
    if (module.persistents[i].kind != PersistentKind::parameter) continue;
    auto& numbers = expected[module.persistents[i].role == Role::bias];
    for (int64_t k = 0; k < n; ++k) {
      t.data[static_cast<size_t>(k)] = 0.3 * static_cast<double>(k) - 0.7;
      numbers.push_back({t.data[static_cast<size_t>(k)]});
    }
  }
  for (int64_t step = 1; step <= 100; ++step) {
    double lr = 1e-2 / std::sqrt(static_cast<double>(step));
    for (const NamedScalar& s : optimizer.scalars(config, step, lr))
      state.inputs[std::string(s.name)] = {{}, {s.value}};
    for (size_t which = 0; which < 2; ++which) {
      std::string name(name_of(which ? Role::bias : Role::matrix));
      RefTensor g{{n}, {}};
      for (int64_t k = 0; k < n; ++k) {
        double x = static_cast<double>(step * (k + 1)) + 10 * static_cast<double>(which);
        g.data.push_back(k == 0 ? 0.0 : std::sin(x) * std::pow(10.0, static_cast<double>(k) - 4));
        rule(expected[which][static_cast<size_t>(k)], g.data.back(), which == 0, step, lr);
      }
      state.inputs["gradient." + name] = std::move(g);
    }
    interpret(program, state);
    for (size_t which = 0; which < 2; ++which) {
      const auto& got = state.persistents[module.find(name_of(which ? Role::bias : Role::matrix))];
      for (size_t k = 0; k < n; ++k)
        // Constants of the program are FP32: 1 − β₁ and its like are off by 6e-8 of themselves,
        // and the error of the state grows with the number of updates.
        ASSERT_NEAR(got.data[k], expected[which][k].p, 1e-6)
            << config.kind << ", update " << step << ", element " << k;
    }
  }
}

TEST(Optimizer, AdamW) {
  OptimizerConfig c{.kind = "adamw", .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
  expect_follows(c, [&](Number& x, double g, bool decays, int64_t t, double lr) {
    if (decays) x.p -= lr * c.weight_decay * x.p;
    x.m = c.beta1 * x.m + (1 - c.beta1) * g;
    x.v = c.beta2 * x.v + (1 - c.beta2) * g * g;
    double m = x.m / (1 - std::pow(c.beta1, t)), v = x.v / (1 - std::pow(c.beta2, t));
    x.p -= lr * m / (std::sqrt(v) + c.eps);
  });
}

TEST(Optimizer, AdamAddsTheDecayToTheGradient) {
  OptimizerConfig c{.kind = "adam", .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.05};
  expect_follows(c, [&](Number& x, double g, bool decays, int64_t t, double lr) {
    if (decays) g += c.weight_decay * x.p;
    x.m = c.beta1 * x.m + (1 - c.beta1) * g;
    x.v = c.beta2 * x.v + (1 - c.beta2) * g * g;
    double m = x.m / (1 - std::pow(c.beta1, t)), v = x.v / (1 - std::pow(c.beta2, t));
    x.p -= lr * m / (std::sqrt(v) + c.eps);
  });
}

TEST(Optimizer, SgdWithAndWithoutMomentum) {
  for (bool nesterov : {false, true}) {
    for (double momentum : {0.0, 0.9}) {
      OptimizerConfig c{
          .kind = "sgd", .weight_decay = 0.01, .momentum = momentum, .nesterov = nesterov};
      expect_follows(c, [&](Number& x, double g, bool decays, int64_t, double lr) {
        if (decays) g += c.weight_decay * x.p;
        x.m = momentum * x.m + g;
        x.p -= lr * (nesterov && momentum > 0 ? g + momentum * x.m : x.m);
      });
    }
  }
}

TEST(Optimizer, WithoutDecayNothingIsEmittedForIt) {
  for (const char* kind : {"adamw", "adam", "sgd"}) {
    OptimizerConfig c{.kind = kind, .weight_decay = 0};
    expect_follows(c, [&](Number& x, double g, bool, int64_t t, double lr) {
      if (c.kind == "sgd") {
        x.p -= lr * g;
        return;
      }
      x.m = c.beta1 * x.m + (1 - c.beta1) * g;
      x.v = c.beta2 * x.v + (1 - c.beta2) * g * g;
      double m = x.m / (1 - std::pow(c.beta1, t)), v = x.v / (1 - std::pow(c.beta2, t));
      x.p -= lr * m / (std::sqrt(v) + c.eps);
    });
  }
}

// One update of a matrix and of a norm's gain with gradients times `scale`.
std::vector<double> lamb_update(double scale) {
  OptimizerConfig config = recommended("lamb");
  config.eps = 1e-14;
  Module module;
  Program& program = module.programs["apply"];
  Builder b(program, &module);
  RefState state;
  for (Role role : {Role::matrix, Role::gain}) {
    std::string name(name_of(role));
    b.parameter(name, {6}, role, {});
    int32_t index = module.find(name);
    UpdateBuilder update(b, index, b.input("gradient." + name, DType::f32, {6}));
    b.store(index, find_optimizer("lamb").update(update, config));
    RefTensor g{{6}, {}}, p{{6}, {}};
    for (int k = 0; k < 6; ++k) {
      g.data.push_back(scale * std::sin(3.0 * k + 1));
      p.data.push_back(0.2 * k - 0.5);
    }
    state.inputs["gradient." + name] = g;
    state.persistents[index] = p;
  }
  for (size_t i = 0; i < module.persistents.size(); ++i)
    if (module.persistents[i].kind == PersistentKind::moment)
      state.persistents[static_cast<int32_t>(i)] = {{6}, std::vector<double>(6, 0.0)};
  for (const NamedScalar& s : find_optimizer("lamb").scalars(config, 1, 0.01))
    state.inputs[std::string(s.name)] = {{}, {s.value}};
  interpret(program, state);
  auto result = state.persistents[module.find("matrix")].data;
  const auto& gain = state.persistents[module.find("gain")].data;
  result.insert(result.end(), gain.begin(), gain.end());
  return result;
}

TEST(Optimizer, LambDoesNotSeeTheSizeOfTheGradient) {
  auto once = lamb_update(1), thousandfold = lamb_update(1000);
  for (size_t i = 0; i < once.size(); ++i) EXPECT_NEAR(once[i], thousandfold[i], 1e-12) << i;
}

// ‖Δp‖ = lr·‖p‖ for what is adapted; Adam's first step, lr an element, for what is not.
TEST(Optimizer, LambStepsByTheNormOfTheParameter) {
  auto updated = lamb_update(1);
  double moved = 0, size = 0;
  for (size_t k = 0; k < 6; ++k) {
    double p = 0.2 * static_cast<double>(k) - 0.5;
    moved += (updated[k] - p) * (updated[k] - p);
    size += p * p;
    EXPECT_NEAR(std::abs(updated[6 + k] - p), 0.01, 1e-9);
  }
  EXPECT_NEAR(std::sqrt(moved / size), 0.01, 1e-9);
}

TEST(Optimizer, RecommendedNumbersAreThoseOfTheKind) {
  EXPECT_EQ(recommended("lamb").eps, 1e-6);
  EXPECT_EQ(recommended("muon").momentum, 0.95);
  EXPECT_TRUE(recommended("muon").nesterov);
  for (const Optimizer* o : all_optimizers())
    EXPECT_EQ(recommended(std::string(o->kind)).kind, o->kind);
}

TEST(Optimizer, AConfigMayBringItsOwnRule) {
  OptimizerConfig c;
  EXPECT_EQ(&optimizer_of(c), &find_optimizer(c.kind));
  const Optimizer own = find_optimizer("sgd");
  c.custom = &own;
  EXPECT_EQ(&optimizer_of(c), &own);
}

TEST(Optimizer, UnknownKindsAreRefused) { EXPECT_THROW(find_optimizer("adamx"), UsageError); }

}  // namespace
}  // namespace anneal
