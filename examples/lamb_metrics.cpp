// LAMB, recorded as `anneal train` records a run: a line of metrics.jsonl for each step and each
// evaluation. The table of epochs comes from the file alone.
//   lamb_metrics [FILE]    keeps the metrics there; without a name they are temporary
#include <cstdio>

#include "anneal/base/file.hpp"
#include "anneal/data/order.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/device/cpu/thread_trace.hpp"
#include "anneal/model/blocks.hpp"
#include "anneal/monitor/metrics.hpp"
#include "anneal/ops/constant/constant.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/optim/schedule.hpp"
#include "anneal/train/compile.hpp"
#include "anneal/train/stepper.hpp"
#include "teacher.hpp"
using namespace anneal;
constexpr int64_t points = 8192, batch = 128, epochs = 10, epoch_steps = points / batch;
constexpr int64_t widths[] = {64, 64, 1};

void build(Module& module, const char* name, int64_t rows) {
  Builder b(module.programs[name], &module);
  Value x = b.input("x", DType::f32, {rows, 3}), y = b.input("y", DType::f32, {rows, 1});
  double inv_rows = 1 / static_cast<double>(rows);
  b.output("loss", squared_error(b, mlp(b, "layer", x, widths), y, constant(b, inv_rows)));
}

// Samples first, first + 1, …, in a new order each epoch.
void fill(Executable& program, uint64_t stream, int64_t first) {
  auto x = program.input("x").as<float>(), y = program.input("y").as<float>();
  for (size_t row = 0; row < y.size(); ++row) {
    int64_t point = sample_index(1, first + static_cast<int64_t>(row), points, true);
    y[row] = teacher(stream, static_cast<uint64_t>(point), &x[3 * row]);
  }
}

int main(int argc, char** argv) {
  set_threads(1);  // programs this small are not worth sharing
  TemporaryDirectory temporary;
  std::filesystem::path path = argc > 1 ? argv[1] : temporary.path() / "metrics.jsonl";
  Module module;
  build(module, "forward", batch);
  build(module, "evaluate", points);
  OptimizerConfig lamb = recommended("lamb");
  lamb.lr = 0.03, lamb.weight_decay = 0.01;
  CpuTarget target;
  Session session = compile(std::move(module), {.optimizer = lamb}, target);
  session.initialise(1);
  Stepper stepper(session, lamb, {.clip = 1.0});
  Executable& evaluate = session.program("evaluate");
  cut_metrics(path, -1);  // what an earlier run left
  MetricsWriter metrics(path);
  for (int64_t s = 0; s < epochs * epoch_steps; ++s) {
    StepEvent event{.step = s + 1, .lr = learning_rate(s, lamb.lr, {}, epochs * epoch_steps)};
    int64_t begin = now_ns();
    auto result = stepper.gradients(1, 1, [&](Executable& p, int64_t) { fill(p, 1, s * batch); });
    stepper.update(s, event.lr, event.grad_norm = result.grad_norm);
    event.loss = result.loss;
    event.step_seconds = static_cast<double>(now_ns() - begin) * 1e-9;
    metrics.write(event);
    if (event.step % epoch_steps != 0) continue;
    fill(evaluate, 2, 0);  // other points
    evaluate.run();
    metrics.write(EvalEvent{.step = event.step, .loss = scalar_output(evaluate, "loss")});
  }
  std::printf("epoch     loss  held out  seconds\n");
  double loss = 0, seconds = 0;
  std::vector<double> held_out;
  for (const MetricsEvent& event : read_metrics(path)) {
    if (auto* step = std::get_if<StepEvent>(&event))
      loss += step->loss / epoch_steps, seconds += step->step_seconds;
    auto* eval = std::get_if<EvalEvent>(&event);
    if (!eval) continue;
    held_out.push_back(eval->loss);
    std::printf("%5zu  %.5f   %.5f  %7.3f\n", held_out.size(), loss, eval->loss, seconds);
    loss = seconds = 0;
  }
  return held_out.size() == epochs && held_out.back() < 0.1 * held_out.front() ? 0 : 1;
}
