// LAMB and AdamW from small to large batches, with the same number of samples and thus fewer steps:
// once with a rate tuned for each batch, once with the smallest batch's rate times √(batch ratio).
// Prints held-out losses; which one wins is measured, not assumed.
#include <cmath>
#include <cstdio>

#include "anneal/device/cpu/parallel.hpp"
#include "anneal/model/blocks.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/optim/schedule.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/stepper.hpp"
#include "teacher.hpp"
using namespace anneal;
constexpr int64_t samples = 65536, held_out = 4096, micro_batch = 128;
constexpr int64_t batches[] = {128, 512, 2048, 8192}, widths[] = {32, 32, 1};
constexpr double rates[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};

void build(Module& module, const char* name, int64_t rows) {
  Builder b(module.programs[name], &module);
  Value x = b.input("x", DType::f32, {rows, 3}), y = b.input("y", DType::f32, {rows, 1});
  Value inv_count = b.input("inv_count", DType::f32, {});
  b.output("loss", squared_error(b, mlp(b, "layer", x, widths), y, inv_count));
}

void fill(Executable& program, int64_t first, int64_t batch) {
  auto x = program.input("x").as<float>(), y = program.input("y").as<float>();
  for (size_t row = 0; row < y.size(); ++row)
    y[row] = teacher(1, static_cast<uint64_t>(first) + row, &x[3 * row]);
  set_scalar(program, "inv_count", 1 / static_cast<float>(batch));
}

// The held-out loss after one pass over the samples, always from the same initial weights.
double train(Session& session, const OptimizerConfig& config, int64_t batch, double lr) {
  session.initialise(1);
  Stepper stepper(session, config, {.clip = 1.0});
  for (int64_t s = 0, steps = samples / batch; s < steps; ++s) {
    auto result = stepper.gradients(1, batch / micro_batch, [&](Executable& program, int64_t i) {
      fill(program, s * batch + i * micro_batch, batch);
    });
    double rate = learning_rate(s, lr, {.warmup_steps = steps / 8, .min_lr = 0}, steps);
    stepper.update(s, rate, result.grad_norm);
  }
  Executable& evaluate = session.program("evaluate");
  fill(evaluate, samples, held_out);
  evaluate.run();
  return scalar_output(evaluate, "loss");
}

int main() {
  set_threads(1);    // programs this small are not worth sharing
  double worst = 0;  // of the smallest batch, whose steps are many
  std::printf("optimizer  batch  steps  tuned rate     loss  ruled rate     loss\n");
  for (const char* kind : {"adamw", "lamb"}) {
    Module module;
    build(module, "forward", micro_batch);
    build(module, "evaluate", held_out);
    OptimizerConfig config = recommended(kind);
    config.weight_decay = 0.01;
    CpuTarget target;
    Session session = compile(std::move(module), {.optimizer = config}, target);
    double first_rate = 0;
    for (int64_t batch : batches) {
      double loss = INFINITY, rate = 0;
      for (double r : rates)
        if (double l = train(session, config, batch, r); l < loss) loss = l, rate = r;
      if (batch == batches[0]) first_rate = rate, worst = std::max(worst, loss);
      double rule = first_rate * std::sqrt(static_cast<double>(batch / batches[0]));
      std::printf("%-9s  %5ld  %5ld  %10.3f  %.5f  %10.3f  %.5f\n", kind, batch, samples / batch,
                  rate, loss, rule, train(session, config, batch, rule));
    }
  }
  return worst < 0.01 ? 0 : 1;
}
