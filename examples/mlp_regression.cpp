// Regression with the library alone, from model to trained weights: an MLP learns a function of
// three variables from noisy points and is then measured on points that it has never seen.
#include <cstdio>

#include "anneal/base/rng.hpp"
#include "anneal/model/blocks.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/optim/schedule.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/stepper.hpp"
#include "teacher.hpp"
using namespace anneal;
constexpr int64_t batch = 256, micro_batch = 64, steps = 1000, held_out = 2048;
constexpr double noise = 0.1;  // standard deviation; that of the function is 0.8

// The network and its error on `rows` points. All programs of a module share its parameters.
void build(Module& module, const char* name, int64_t rows) {
  Builder b(module.programs[name], &module);
  Value x = b.input("x", DType::f32, {rows, 3}), y = b.input("y", DType::f32, {rows, 1});
  Value inv_count = b.input("inv_count", DType::f32, {});
  x = tanh(b, linear(b, "layer.0", x, 64, {.bias = true, .deviation = 0.6}));   // [rows,64]
  x = tanh(b, linear(b, "layer.1", x, 64, {.bias = true, .deviation = 0.12}));  // [rows,64]
  x = linear(b, "layer.2", x, 1, {.bias = true, .deviation = 0.12});            // [rows,1]
  b.output("loss", squared_error(b, x, y, inv_count));
}

// Points first, first + 1, … of a stream, with noise.
void fill(Executable& program, uint64_t stream, uint64_t first, double deviation, int64_t count) {
  auto x = program.input("x").as<float>(), y = program.input("y").as<float>();
  for (size_t row = 0; row < y.size(); ++row) {
    double error = deviation * normal_pair(philox(stream, first + row, 1))[0];
    y[row] = teacher(stream, first + row, &x[3 * row]) + static_cast<float>(error);
  }
  set_scalar(program, "inv_count", 1 / static_cast<float>(count));  // of the whole batch
}

int main() {
  Module module;
  build(module, "forward", micro_batch);  // the passes make step, reduce and apply of it
  build(module, "evaluate", held_out);
  OptimizerConfig adamw{.kind = "adamw", .lr = 0.01, .weight_decay = 1e-4};
  CpuTarget target;
  Session session = compile(std::move(module), {.optimizer = adamw}, target);
  session.initialise(1);
  Stepper stepper(session, adamw, {.clip = 1.0});
  for (int64_t s = 0; s < steps; ++s) {
    auto result = stepper.gradients(1, batch / micro_batch, [&](Executable& program, int64_t i) {
      fill(program, 1, static_cast<uint64_t>(s * batch + i * micro_batch), noise, batch);
    });
    stepper.update(s, learning_rate(s, adamw.lr, {.min_lr = 1e-5}, steps), result.grad_norm);
    if (s % 100 == 0) std::printf("step %4d  loss %.5f\n", static_cast<int>(s + 1), result.loss);
  }
  fill(session.program("evaluate"), 2, 0, 0.0, held_out);
  session.program("evaluate").run();
  double error = scalar_output(session.program("evaluate"), "loss"), bound = noise * noise / 10;
  std::printf("held-out squared error, without noise: %.6f (bound %.6f)\n", error, bound);
  return error < bound ? 0 : 1;
}
