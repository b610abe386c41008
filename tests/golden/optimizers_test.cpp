#include <gtest/gtest.h>
#include <cmath>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/reduce/sum_to.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/stepper.hpp"
#include "golden/golden.hpp"

// Every optimizer over 100 updates, as the CPU runs it, against torch.optim or, for LAMB and Muon,
// the papers' formulas in NumPy.

namespace anneal {
namespace {

Role role_named(const std::string& name) {
  for (int i = 0;; ++i)
    if (name_of(static_cast<Role>(i)) == name) return static_cast<Role>(i);
}

// Σ <parameter, input>: the gradient of each parameter is what is put in.
Module linear_in(const nlohmann::json& parameters) {
  Module module;
  Builder b(module.programs["forward"], &module);
  Value loss;
  for (const auto& p : parameters) {
    std::string name = p["name"];
    auto extents = p["shape"].get<std::vector<int64_t>>();
    Shape shape = extents.size() == 1 ? Shape{extents[0]} : Shape{extents[0], extents[1]};
    Value w = b.parameter(name, shape, role_named(p["role"]), {});
    Value term = sum_to(b, mul(b, w, b.input("gradient." + name, DType::f32, shape)), {});
    loss = loss ? add(b, loss, term) : term;
  }
  b.output("loss", loss);
  return module;
}

OptimizerConfig config_of(const nlohmann::json& c) {
  OptimizerConfig config{.kind = c["kind"], .lr = c["lr"], .weight_decay = c["weight_decay"]};
  config.beta1 = c.value("beta1", config.beta1);
  config.beta2 = c.value("beta2", config.beta2);
  config.eps = c.value("eps", config.eps);
  config.momentum = c.value("momentum", config.momentum);
  config.dampening = c.value("dampening", config.dampening);
  config.nesterov = c.value("nesterov", config.nesterov);
  config.alpha = c.value("alpha", config.alpha);
  config.centered = c.value("centered", config.centered);
  return config;
}

float gradient(const std::string& name, int64_t step, int64_t i) {
  double mean = golden::uniform(name + "#mean", i) - 0.5;
  double noise = golden::uniform(str(name, "@", step), i) - 0.5;
  return static_cast<float>(0.02 * mean + 0.05 * noise);
}

class GoldenOptimizer : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenOptimizer, HundredUpdates) {
  auto data = golden::read("optimizers.json");
  const auto& test = data[GetParam()];
  OptimizerConfig config = config_of(test["config"]);
  CpuTarget target;
  Session session = compile(linear_in(data["parameters"]), {.optimizer = config}, target);
  session.initialise(1);
  for (int32_t p : session.module().parameters()) {
    const auto& parameter = session.module().persistent(p);
    auto values = session.persistent(p).as<float>();
    for (size_t i = 0; i < values.size() && parameter.name != "zero.bias"; ++i)
      values[i] = golden::parameter(parameter.name, parameter.type.shape.rank() == 1,
                                    static_cast<int64_t>(i));
  }
  Stepper stepper(session, config, {});
  int64_t steps = data["steps"];
  for (int64_t s = 0; s < steps; ++s) {
    auto result = stepper.gradients(1, 1, [&](Executable& program, int64_t) {
      for (const auto& p : data["parameters"]) {
        std::string name = p["name"];
        auto values = program.input("gradient." + name).as<float>();
        for (size_t i = 0; i < values.size(); ++i)
          values[i] = gradient(name, s, static_cast<int64_t>(i));
      }
    });
    double lr = config.lr * (1 - 0.5 * static_cast<double>(s) / static_cast<double>(steps));
    stepper.update(s, lr, result.grad_norm);
    std::string key = std::to_string(s + 1);
    if (!test["after"].contains(key)) continue;
    for (const auto& [name, record] : test["after"][key].items()) {
      auto values = session.persistent(name).as<float>();
      // Rounding of FP32, 6e-8 an update, adds up like a random walk.
      EXPECT_LE(golden::distance(record, name, values.data(), static_cast<int64_t>(values.size())),
                1e-6 * record["norm"].get<double>())
          << name << " after " << key;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenOptimizer,
                         ::testing::Values("sgd", "sgd_momentum", "sgd_nesterov", "adam", "adamw",
                                           "rmsprop", "rmsprop_centered", "lamb", "muon"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace anneal
