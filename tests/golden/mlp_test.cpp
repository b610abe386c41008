#include <gtest/gtest.h>
#include <cmath>

#include "anneal/model/blocks.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/optim/schedule.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/train/stepper.hpp"
#include "golden/golden.hpp"

namespace anneal {
namespace {

Module regression(int64_t rows) {
  Module module;
  Builder b(module.programs["forward"], &module);
  LinearOptions options{.bias = true};
  Value x = b.input("x", DType::f32, {rows, 5});
  Value target = b.input("target", DType::f32, {rows, 3});
  Value inv_count = b.input("inv_count", DType::f32, {});
  x = tanh(b, linear(b, "net.0", x, 7, options));  // [rows,7]
  x = relu(b, linear(b, "net.2", x, 9, options));  // [rows,9]
  x = linear(b, "net.4", x, 3, options);           // [rows,3]
  b.output("prediction", x);
  b.output("loss", squared_error(b, x, target, inv_count));
  return module;
}

void set_parameters(Session& session) {
  for (int32_t p : session.module().parameters()) {
    const auto& parameter = session.module().persistent(p);
    auto values = session.persistent(p).as<float>();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = golden::parameter(parameter.name, parameter.type.shape.rank() == 1,
                                    static_cast<int64_t>(i));
  }
}

void write_rows(const nlohmann::json& rows, std::span<float> out) {
  size_t i = 0;
  for (const auto& row : rows)
    for (double x : row) out[i++] = static_cast<float>(x);
  ASSERT_EQ(i, out.size());
}

TEST(GoldenMlp, GradientsAndTwentySteps) {
  auto data = golden::read("mlp.json");
  const auto& t = data["training"];
  CpuTarget target;
  PassOptions options;
  options.optimizer = {.kind = t["optimizer"],
                       .lr = t["lr"],
                       .beta1 = t["beta1"],
                       .beta2 = t["beta2"],
                       .eps = t["eps"],
                       .weight_decay = t["weight_decay"]};
  ScheduleConfig schedule{.kind = t["schedule"],
                          .warmup_steps = t["warmup_steps"],
                          .min_lr = t["min_lr"],
                          .horizon = t["horizon"]};
  Module module = regression(3);
  Plan plan = run_passes(module, options, target);
  Session session(std::move(module), std::move(plan), target);
  set_parameters(session);
  Stepper stepper(session, options.optimizer, {.clip = t["clip"]});

  auto fill = [&](size_t batch, int64_t micro, double inv_count) {
    return [&, batch, micro, inv_count](Executable& program, int64_t i) {
      auto m = static_cast<size_t>(micro + i);
      write_rows(data["inputs"][batch][m], program.input("x").as<float>());
      write_rows(data["targets"][batch][m], program.input("target").as<float>());
      set_scalar(program, "inv_count", static_cast<float>(inv_count));
    };
  };
  auto first = stepper.gradients(1, 1, fill(0, 0, 1.0 / 9));
  double loss = data["loss"], norm = data["grad_norm"];
  EXPECT_NEAR(first.loss, loss, 1e-6 * loss);
  EXPECT_NEAR(first.grad_norm, norm, 1e-5 * norm);
  for (const auto& [name, record] : data["gradients"].items()) {
    auto g = session.persistent(name + ".grad").as<float>();
    double bound = 1e-5 * std::max(record["norm"].get<double>(), 1e-4 * norm);
    EXPECT_LE(golden::distance(record, name, g.data(), static_cast<int64_t>(g.size())), bound)
        << name;
  }
  for (int64_t s = 0; s < 20; ++s) {
    auto result = stepper.gradients(1, 2, fill(static_cast<size_t>(s % 4), 0, 1.0 / 18));
    const auto& expected = data["steps"][static_cast<size_t>(s)];
    double lr = learning_rate(s, t["lr"], schedule, 20);
    EXPECT_NEAR(lr, expected["lr"].get<double>(), 1e-12);
    double step_loss = expected["loss"];
    EXPECT_NEAR(result.loss, step_loss, 1e-5 * step_loss) << "step " << s;
    stepper.update(s, lr, result.grad_norm);
  }
}

// Every op of the program has kernels for what mixed precision makes of it.
TEST(GoldenMlp, Bf16StaysClose) {
  auto data = golden::read("mlp.json");
  CpuTarget target;
  Module module = regression(3);
  Plan plan = run_passes(module, {.precision = "bf16"}, target);
  Session session(std::move(module), std::move(plan), target);
  set_parameters(session);
  session.refresh();
  Stepper stepper(session, {}, {});
  auto result = stepper.gradients(1, 1, [&](Executable& program, int64_t) {
    write_rows(data["inputs"][0][0], program.input("x").as<float>());
    write_rows(data["targets"][0][0], program.input("target").as<float>());
    set_scalar(program, "inv_count", 1.0f / 9);
  });
  // Three products of operands rounded to 2^-9 of themselves.
  double loss = data["loss"], norm = data["grad_norm"];
  EXPECT_NEAR(result.loss, loss, 8 * 0x1p-9 * loss);
  EXPECT_NEAR(result.grad_norm, norm, 8 * 0x1p-9 * norm);
}

}  // namespace
}  // namespace anneal
