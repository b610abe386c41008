// The same network, data and seed in several precisions: the loss, the memory and the time of a
// step. One pass makes the difference; the result says what was measured, whichever way it falls.
#include <cstdio>

#include "anneal/device/cpu/matmul.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/model/blocks.hpp"
#include "anneal/ops/constant/constant.hpp"
#include "anneal/optim/schedule.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/stepper.hpp"
#include "teacher.hpp"
using namespace anneal;
constexpr int64_t rows = 512, steps = 60, counted = 10;
constexpr int64_t widths[] = {256, 256, 256, 1};

Module network() {
  Module module;
  Builder b(module.programs["forward"], &module);
  Value x = b.input("x", DType::f32, {rows, 3}), y = b.input("y", DType::f32, {rows, 1});
  b.output("loss", squared_error(b, mlp(b, "layer", x, widths), y, constant(b, 1.0 / rows)));
  return module;
}

void fill(Executable& program, uint64_t first) {
  auto x = program.input("x").as<float>(), y = program.input("y").as<float>();
  for (size_t row = 0; row < y.size(); ++row) y[row] = teacher(1, first + row, &x[3 * row]);
}

struct Measured {
  double loss = 0, mib = 0, ms = 0;  // mean of the last steps; planned memory; median of a step
};

Measured train(const std::string& precision) {
  OptimizerConfig adam{.kind = "adam", .lr = 0.002, .weight_decay = 0};
  CpuTarget target;
  Session session = compile(network(), {.precision = precision, .optimizer = adam}, target);
  session.initialise(1);
  session.refresh();  // the copies of the weights in that precision
  Stepper stepper(session, adam, {.clip = 1.0});
  Measured m{.mib = static_cast<double>(session.plan().arena_bytes) / (1 << 20)};
  std::vector<double> times;
  for (int64_t s = 0; s < steps; ++s) {
    int64_t begin = now_ns();
    auto fill_step = [&](Executable& p, int64_t) { fill(p, static_cast<uint64_t>(s * rows)); };
    auto result = stepper.gradients(1, 1, fill_step);
    stepper.update(s, learning_rate(s, adam.lr, {.warmup_steps = 10}, steps), result.grad_norm);
    times.push_back(static_cast<double>(now_ns() - begin) * 1e-6);
    if (s >= steps - counted) m.loss += result.loss / counted;
  }
  m.ms = median(times);
  return m;
}

int main() {
  set_threads(1);  // so that times are those of one core, whatever else runs
  bool native = cpu_matmul_has_native_bf16(), learned = true;
  std::printf("This CPU multiplies bf16 %s.\n\n", native ? "natively" : "through FP32");
  std::printf("precision     loss     MiB  ms a step  compared with FP32\n");
  Measured fp32 = train("fp32");
  for (std::string precision : {"fp32", "bf16", "fp16"}) {
    Measured m = precision == "fp32" ? fp32 : train(precision);
    std::printf("%-9s  %.5f  %6.1f  %9.1f  %.2f of the memory, %.2f of the time\n",
                precision.c_str(), m.loss, m.mib, m.ms, m.mib / fp32.mib, m.ms / fp32.ms);
    learned = learned && m.loss < 0.02 && m.mib <= fp32.mib;
  }
  return learned ? 0 : 1;
}
