// Polynomial regression with Adam: recovers the coefficients of a cubic from noisy points. The
// model is four scalar parameters in Horner's formula; at the end they are read where they lie.
#include <cmath>
#include <cstdio>

#include "anneal/base/rng.hpp"
#include "anneal/model/blocks.hpp"
#include "anneal/ops/constant/constant.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/optim/schedule.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/stepper.hpp"
using namespace anneal;
constexpr int64_t batch = 256, steps = 1000;
constexpr double truth[] = {0.5, -1.5, 0.25, 2.0};  // of 1, x, x², x³
constexpr const char* names[] = {"c0", "c1", "c2", "c3"};

void build(Module& module) {
  Builder b(module.programs["forward"], &module);
  Value x = b.input("x", DType::f32, {batch}), y = b.input("y", DType::f32, {batch});
  auto coefficient = [&](int i) {
    return b.parameter(names[i], {}, Role::none, {});
  };  // 0 at first
  Value sum = mul(b, x, coefficient(3));
  for (int i = 2; i > 0; --i) sum = mul(b, x, add(b, sum, coefficient(i)));
  sum = add(b, sum, coefficient(0));
  b.output("loss", squared_error(b, sum, y, constant(b, 1.0 / batch)));
}

// Points first, first + 1, …: x uniform in [-1, 1), noise of deviation 0.1.
void fill(Executable& program, uint64_t first) {
  auto x = program.input("x").as<float>(), y = program.input("y").as<float>();
  for (size_t row = 0; row < x.size(); ++row) {
    double at = 2 * uniform_float(philox(1, first + row, 0)[0]) - 1;
    double noise = 0.1 * normal_pair(philox(1, first + row, 1))[0];
    x[row] = static_cast<float>(at);
    y[row] =
        static_cast<float>(truth[0] + at * (truth[1] + at * (truth[2] + at * truth[3])) + noise);
  }
}

int main() {
  Module module;
  build(module);
  OptimizerConfig adam{.kind = "adam", .lr = 0.02, .weight_decay = 0};
  CpuTarget target;
  Session session = compile(std::move(module), {.optimizer = adam}, target);
  session.initialise(1);
  Stepper stepper(session, adam, {});
  for (int64_t s = 0; s < steps; ++s) {
    auto fill_step = [&](Executable& p, int64_t) { fill(p, static_cast<uint64_t>(s * batch)); };
    auto result = stepper.gradients(1, 1, fill_step);
    stepper.update(s, learning_rate(s, adam.lr, {.min_lr = 1e-5}, steps), result.grad_norm);
    if (s % 200 == 0) std::printf("step %4d  loss %.5f\n", static_cast<int>(s + 1), result.loss);
  }
  double worst = 0, bound = 0.02;
  std::printf("\npower     true  learned    error\n");
  for (int i = 0; i < 4; ++i) {
    double learned = session.persistent(names[i]).as<float>()[0], error = learned - truth[i];
    std::printf("x^%d    %6.2f  %7.4f  %7.4f\n", i, truth[i], learned, error);
    worst = std::max(worst, std::abs(error));
  }
  return worst < bound ? 0 : 1;
}
