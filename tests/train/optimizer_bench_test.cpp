#include "anneal/train/optimizer_bench.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/optim/optimizer.hpp"
#include "anneal/train/fusion_bench.hpp"

namespace anneal {
namespace {

TEST(OptimizerRun, AveragesTheLastTwentiethAndFindsTheTarget) {
  OptimizerRun run;
  for (int i = 0; i < 100; ++i) run.losses.push_back(100 - i);
  EXPECT_EQ(run.final_loss(), 3);  // of 5, 4, 3, 2, 1
  // The mean over five steps ending with step e (from 1) is 100 − e + 3.
  EXPECT_EQ(run.steps_to(53), 50);
  EXPECT_EQ(run.steps_to(1000), 5);
  EXPECT_EQ(run.steps_to(2.9), std::nullopt);
  run.diverged = true;
  EXPECT_TRUE(std::isinf(run.final_loss()));
}

// A pattern that a small model learns in some steps.
RunConfig tiny_task(const TemporaryDirectory& directory) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "abcdefgh"[i * i % 8];
  write_file_atomically(directory.path() / "text.txt", text);
  RunConfig config;
  config.model = {.family = "gpt2",
                  .layers = 1,
                  .heads = 2,
                  .kv_heads = 2,
                  .width = 16,
                  .hidden = 32,
                  .context = 16};
  config.data.train = {(directory.path() / "text.txt").string()};
  config.data.validation_fraction = 0;
  config.data.tokenizer = "byte";
  config.train.steps = 40;
  config.train.batch = config.train.micro_batch = 4;
  config.parallel.threads = 1;
  config.schedule = {.kind = "constant", .warmup_steps = 0, .min_lr = 1e-4};
  return config;
}

TEST(OptimizerBench, EveryKindLearnsAndHasTheStateThatItsRuleSays) {
  TemporaryDirectory directory;
  OptimizerBench bench(tiny_task(directory));
  std::map<std::string, double> state = {
      {"sgd", 4}, {"adam", 8}, {"adamw", 8}, {"rmsprop", 4}, {"lamb", 8}};
  for (const Optimizer* optimizer : all_optimizers()) {
    std::string kind(optimizer->kind);
    OptimizerConfig config = usual_config(kind);
    config.lr = kind == "sgd" ? 0.03 : 0.01;
    auto run = bench.run(config, {.kind = "constant", .warmup_steps = 0});
    ASSERT_EQ(run.losses.size(), 40u) << kind;
    EXPECT_LT(run.final_loss(), 0.9 * run.losses[0]) << kind;
    auto bytes = static_cast<double>(run.state_bytes) / static_cast<double>(run.parameters);
    // Muon keeps one number for an element of a matrix, two for others.
    if (kind == "muon") {
      EXPECT_TRUE(bytes > 4 && bytes < 8) << bytes;
    } else {
      EXPECT_EQ(bytes, state.at(kind)) << kind;
    }
  }
}

TEST(OptimizerBench, RunsAreTheSameAgain) {
  TemporaryDirectory directory;
  OptimizerBench bench(tiny_task(directory));
  auto config = usual_config("adamw");
  EXPECT_EQ(bench.run(config, {}).losses, bench.run(config, {}).losses);
}

TEST(OptimizerBench, TuningFindsABetterRateThanAPoorStart) {
  TemporaryDirectory directory;
  OptimizerBench bench(tiny_task(directory));
  for (double start : {1e-6, 30.0}) {
    auto config = usual_config("adamw");
    config.lr = start;
    ScheduleConfig schedule{.kind = "constant", .warmup_steps = 0};
    auto poor = bench.run(config, schedule), tuned = bench.tuned(config, schedule);
    EXPECT_LT(tuned.final_loss(), poor.final_loss()) << start;
  }
}

TEST(FusionBench, CountsTheBytesOfReluOfASum) {
  auto list = measure_fusion(1 << 15, 1);
  const FusionMeasurement& relu = list[0];
  double n = 1 << 15;
  EXPECT_EQ(relu.separate.bytes, 5 * n * sizeof(float));
  EXPECT_EQ(relu.fused.bytes, 3 * n * sizeof(float));
  EXPECT_EQ(relu.difference, 0);
  for (const auto& m : list) {
    EXPECT_LT(m.fused.bytes, m.separate.bytes) << m.name;
    EXPECT_LT(m.fused.nodes, m.separate.nodes) << m.name;
    // Sums and products that become one instruction round once instead of twice.
    EXPECT_LE(m.difference, 1e-6) << m.name;
  }
  EXPECT_THROW(measure_fusion(100, 1), UsageError);
}

}  // namespace
}  // namespace anneal
