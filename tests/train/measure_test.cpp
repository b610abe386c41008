// What benchmarks and the profiler say of a training step.

#include <gtest/gtest.h>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "anneal/base/file.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/train/kernel_bench.hpp"
#include "anneal/train/profile_files.hpp"
#include "anneal/train/step_bench.hpp"
#include "train/tiny_model.hpp"

namespace anneal {
namespace {

RunConfig measured_config(const std::string& family, const std::string& precision = "fp32") {
  RunConfig config = tiny_config(family, precision);
  config.data = {.tokenizer = ""};  // random tokens
  return config;
}

const MachineRates& rates() {
  static const MachineRates measured = measure_rates();
  return measured;
}

class Measured : public ::testing::TestWithParam<ModelKind> {};
INSTANTIATE_TEST_SUITE_P(Models, Measured, ::testing::ValuesIn(model_kinds),
                         ::testing::PrintToStringParamName());

TEST_P(Measured, AStep) {
  RunConfig config = measured_config(GetParam().family, GetParam().precision);
  StepMeasurement m = measure_step(config, {.steps = 3, .warmup = 1});
  EXPECT_EQ(m.tokens, config.train.batch * config.model.context);
  EXPECT_EQ(m.steps, 3);
  EXPECT_LE(m.fastest_seconds, m.step_seconds);
  EXPECT_LE(m.step_seconds, m.slowest_seconds);
  const PhaseSeconds& p = m.phases;
  for (double seconds : {p.forward, p.backward, p.reduce, p.update}) EXPECT_GT(seconds, 0);
  EXPECT_GE(p.data, 0);
  EXPECT_EQ(p.recompute, 0);
  ASSERT_TRUE(m.bound_seconds.has_value());
  EXPECT_GT(*m.bound_seconds, 0);
  EXPECT_GT(m.predicted_seconds, 0);
  bool known = m.precision == "fp32" || cpu_matmul_has_native_bf16();
  EXPECT_EQ(m.mfu().value_or(0) > 0, known);
  EXPECT_GT(m.planned_bytes, 0);
}

// The model's FLOPs by hand: 2·m·n·k for each matrix product forward, twice that backward, and
// attention over the visible half of the scores.
TEST(StepCost, CountsTheModelsProducts) {
  RunConfig config = measured_config("gpt2");
  CpuTarget target;
  Module module = build_module(config, {.evaluate = false});
  run_passes(module, pass_options(config, module), target);
  double tokens = static_cast<double>(config.train.batch * config.model.context);
  double w = static_cast<double>(config.model.width), t = static_cast<double>(config.model.context);
  double layer = w * 3 * w + w * w + 2 * w * static_cast<double>(config.model.hidden);
  double head = w * static_cast<double>(config.model.vocab_size);
  double linear = 6 * tokens * (2 * layer + head);
  double attention = 2 * 6 * tokens * 2 * w * (t + 1) / 2;  // two layers, two and four products
  EXPECT_NEAR(cost_of_step(module, config).model_flops, linear + attention,
              1e-9 * (linear + attention));
  // Recomputing is work, but not the model's.
  config.train.recompute = "block";
  Module again = build_module(config, {.evaluate = false});
  run_passes(again, pass_options(config, again), target);
  EXPECT_EQ(cost_of_step(again, config).model_flops, cost_of_step(module, config).model_flops);
  EXPECT_GT(cost_of_step(again, config).flops, cost_of_step(module, config).flops);
}

TEST_P(Measured, EveryKernelOfAStep) {
  RunConfig config = measured_config(GetParam().family, GetParam().precision);
  auto list = measure_kernels(config, rates());
  CpuTarget target;
  Module module = build_module(config, {.evaluate = false});
  run_passes(module, pass_options(config, module), target);
  int64_t nodes = 0, calls = 0;
  for (const StepProgram& p : programs_of_step(module, config))
    nodes += p.runs * static_cast<int64_t>(module.programs.at(p.name).order.size());
  double lost = list.front().lost_seconds();
  for (const KernelMeasurement& m : list) {
    calls += m.calls;
    EXPECT_GT(m.seconds, 0) << m.op << m.shapes;
    EXPECT_LE(m.lost_seconds(), lost);
    lost = m.lost_seconds();
  }
  EXPECT_EQ(calls, nodes);
}

struct ProfileFiles : ::testing::Test {
  TemporaryDirectory dir;
};

TEST_F(ProfileFiles, TraceExplainsEveryStep) {
  set_threads(2);
  RunConfig config = measured_config("gpt2");
  config.parallel.threads = 2;
  Recording recording(config, 3);
  EXPECT_EQ(recording.trace().dropped(), 0);
  auto path = dir.path() / "trace.json";
  write_trace(recording, path);
  auto json = nlohmann::json::parse(read_file(path));
  double steps = 0, explained = 0;
  std::map<std::string, int> categories;
  std::map<int, double> last_end;
  for (const auto& event : json["traceEvents"]) {
    if (event["ph"] != "X") continue;
    std::string category = event.value("cat", "");
    ++categories[category];
    int lane = event["tid"];
    double begin = event["ts"], duration = event["dur"];
    if (category == "step") {
      steps += duration;
      continue;
    }
    // Nothing on a lane overlaps; nanoseconds are kept.
    EXPECT_GE(begin, last_end[lane] - 0.0015) << event;
    last_end[lane] = begin + duration;
    if (lane == json["traceEvents"][0].value("tid", 0) || lane == 0) explained += duration;
  }
  EXPECT_EQ(categories["step"], 3);
  EXPECT_NEAR(explained, steps, 0.02 * steps);
  for (const char* phase : {"forward", "backward", "reduce", "apply", "gap"})
    EXPECT_GT(categories[phase], 0) << phase;
  EXPECT_GE(last_end.size(), 3u);  // the steps and two threads

  Profile profile = summarise(recording, rates());
  double rows = 0, share = 0;
  for (const ProfileRow& row : profile.ops) rows += row.seconds;
  for (const ProfileRow& row : profile.scopes) share += row.seconds;
  EXPECT_NEAR(rows, profile.step_seconds, 1e-9 + 1e-6 * profile.step_seconds);
  EXPECT_LT(share, rows);
  auto has = [](const std::vector<ProfileRow>& list, const std::string& name) {
    return std::any_of(list.begin(), list.end(), [&](const auto& r) { return r.name == name; });
  };
  EXPECT_TRUE(has(profile.ops, "matmul backward"));
  EXPECT_TRUE(has(profile.scopes, "h.1.attn"));
  EXPECT_TRUE(has(profile.scopes, "embed"));

  EXPECT_NE(flame_graph_of(recording).find("forward"), std::string::npos);
  EXPECT_NE(memory_timeline_of(recording).find("activations"), std::string::npos);
}

// A source that makes its reader wait is the first row, unless batches are read ahead.
TEST_F(ProfileFiles, ASlowSourceIsNamed) {
  RunConfig config = measured_config("gpt2");
  auto wait = std::make_shared<std::chrono::milliseconds>(60);
  auto slow = [wait] { std::this_thread::sleep_for(*wait); };
  config.data.prefetch = false;
  // On a machine that others use, waiting for a second thread could take longer than the source.
  config.parallel.threads = 1;
  Recording waiting(config, 2, slow);
  Profile profile = summarise(waiting, rates());
  EXPECT_EQ(profile.ops.front().name, data_wait);
  EXPECT_GE(profile.ops.front().seconds, 0.05);

  // With a source no slower than a step, reading ahead hides it.
  *wait = std::chrono::milliseconds(0);
  config.data.prefetch = true;
  config.model.width = 128, config.model.hidden = 512;
  Recording ahead(config, 2, slow);
  EXPECT_NE(summarise(ahead, rates()).ops.front().name, data_wait);
}

TEST(Workload, TakesTheConfigsOwnText) {
  TemporaryDirectory dir;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "all work and no play " + std::to_string(i) + "\n";
  FileWriter(dir.path() / "a.txt").write(text);
  RunConfig config = tiny_config("llama");
  config.model.vocab_size = 0;
  config.data.train = {(dir.path() / "a.txt").string()};
  config.data.tokenizer = "byte";
  CpuTarget target;
  Workload workload(config, target, 3);
  EXPECT_GE(workload.config().model.vocab_size, 256);
  StepTimes times = workload.step();
  EXPECT_LE(times.begin, times.fetched);
  EXPECT_LT(times.fetched, times.computed);
  EXPECT_LT(times.computed, times.end);
}

}  // namespace
}  // namespace anneal
