#include "anneal/monitor/run_record.hpp"

#include <gtest/gtest.h>
#include <cmath>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/monitor/run_statistics.hpp"
#include "anneal/monitor/run_summary.hpp"
#include "anneal/monitor/testing/made_run.hpp"

namespace anneal {
namespace {

StepEvent step_of(int64_t step, double seconds) {
  return {.step = step, .tokens = step * 10, .loss = 1, .step_seconds = seconds};
}

TEST(RunRecord, AddsUpTheStepsAndWhatWasNotLogged) {
  RunRecord run = make_run_record(
      {.folder = "r"}, {StartEvent{}, step_of(2, 0.5), step_of(4, 1), step_of(5, NAN), EndEvent{}});
  EXPECT_EQ(run.seconds, (std::vector<double>{1, 3, 3}));
  EXPECT_EQ(run.tokens_at(1), 0);
  EXPECT_EQ(run.tokens_at(4), 40);
  EXPECT_EQ(run.tokens_at(100), 50);
  EXPECT_EQ(run.seconds_at(4), 3);
  EXPECT_TRUE(run.ended);
}

TEST(RunRecord, AResumedRunReplacesWhatItDidAgain) {
  RunRecord run = make_run_record(
      {.folder = "r"},
      {StartEvent{}, step_of(1, 1), step_of(2, 1), step_of(3, 1), EvalEvent{.step = 3},
       EndEvent{.step = 3}, StartEvent{.step = 1}, step_of(2, 2), EvalEvent{.step = 2}});
  ASSERT_EQ(run.steps.size(), 2u);
  EXPECT_EQ(run.steps[1].step_seconds, 2);
  EXPECT_EQ(run.evals.size(), 1u);
  EXPECT_EQ(run.starts.size(), 2u);
  EXPECT_FALSE(run.ended);
  RunSummary summary = summarise_run(run);
  EXPECT_EQ(summary.status, "no end");
  EXPECT_FALSE(summary.wall_seconds);
}

TEST(RunRecord, ReadsTornUnknownAndNullLines) {
  TemporaryDirectory dir;
  const auto path = dir.path() / "metrics.jsonl";
  FileWriter(path).write(
      "{\"event\":\"start\",\"step\":0,\"host\":\"h\",\"new_field\":[1]}\n"
      "{\"event\":\"weather\",\"step\":0}\n"
      "{\"event\":\"step\",\"step\":1,\"tokens\":1e300,\"loss\":null,\"loss_scale\":4,\"mfu\":null}"
      "\n"
      "{\"event\":\"step\",\"step\":2,\"loss\":3.5}\n"
      "\n"
      "{\"event\":\"alert\",\"step\":2,\"kind\":\"brand_new\",\"message\":null}\n"
      "{\"event\":\"step\",\"step\":3,\"lo");
  RunRecord run = read_run({.folder = dir.path().string()}, path);
  ASSERT_EQ(run.steps.size(), 2u);
  EXPECT_TRUE(std::isnan(run.steps[0].loss));
  EXPECT_EQ(run.steps[0].tokens, 0);
  EXPECT_EQ(run.steps[1].loss, 3.5);
  EXPECT_EQ(run.alerts.at(0).kind, "brand_new");
  EXPECT_EQ(summarise_run(run).diverged_step, 1);
}

TEST(RunRecord, WhatCannotBeReadIsNamed) {
  TemporaryDirectory dir;
  const auto path = dir.path() / "metrics.jsonl";
  const auto message = [&] {
    try {
      read_run({.folder = "r"}, path);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_NE(message().find(path.string() + "] there is no such file"), std::string::npos);
  FileWriter(path).write("");
  EXPECT_NE(message().find(path.string() + "] holds no event"), std::string::npos);
  FileWriter(path).write("{\"event\":\"step\",\"st");
  EXPECT_NE(message().find("holds no event"), std::string::npos);
}

TEST(RunRecord, LabelsTellRunsApart) {
  std::vector<RunRecord> runs(6);
  const auto set = [&](size_t i, const char* name, const char* folder) {
    runs[i] = make_run_record({.folder = folder, .name = name}, {});
  };
  set(0, "own", "x/a");
  set(1, "same", "x/b");
  set(2, "same", "x/c/");
  set(3, "same", "y/b");
  set(4, "", "z/d/.");
  set(5, "same", "y/b");
  label_runs(runs);
  std::vector<std::string> labels;
  for (const auto& run : runs) labels.push_back(run.label);
  EXPECT_EQ(labels, (std::vector<std::string>{"own", "x/b", "c", "y/b", "d", "y/b (2)"}));
}

TEST(RunStatistics, QuartilesLieBetweenNeighbours) {
  auto q = quartiles_of({4, 1, NAN, 3, 2, INFINITY, 5});
  ASSERT_TRUE(q);
  EXPECT_EQ(q->count, 5u);
  EXPECT_DOUBLE_EQ(q->low, 2);
  EXPECT_DOUBLE_EQ(q->median, 3);
  EXPECT_DOUBLE_EQ(q->high, 4);
  EXPECT_DOUBLE_EQ(quartiles_of({1, 2})->median, 1.5);
  EXPECT_FALSE(quartiles_of({NAN}));
}

TEST(RunStatistics, NoiseIsThatOfTheValuesNotOfTheirTrend) {
  std::vector<double> line, noisy;
  for (int i = 0; i < 100; ++i) {
    line.push_back(100 - i + 0.01 * i * i);
    const uint32_t bits = static_cast<uint32_t>(i + 1) * 2654435761u;
    noisy.push_back(line.back() + ((bits ^ bits >> 15) * 2246822519u >> 8) * 0x1p-23 - 1);
  }
  EXPECT_LT(*noise_about_curve(line), 1e-9);
  EXPECT_NEAR(*noise_about_curve(noisy), 0.58, 0.25);
  EXPECT_FALSE(noise_about_curve({1, 2, 3, 4, 5}));
  auto mean = last_mean({9, 1, 3, 1, 3}, 4);
  EXPECT_DOUBLE_EQ(mean->mean, 2);
  EXPECT_DOUBLE_EQ(mean->error, std::sqrt(4.0 / 2 / 4));
  EXPECT_EQ(last_mean({5}, 3)->error, 0);
  EXPECT_FALSE(last_mean({}, 3));
}

TEST(RunSummary, CountsWhatTheRunDid) {
  MadeRun made;
  made.slowdown = [](int64_t step) { return step == 7 ? 50.0 : 1.0; };
  RunSummary s = summarise_run(made.record());
  EXPECT_EQ(s.steps, 200);
  EXPECT_EQ(s.tokens, 200000);
  EXPECT_DOUBLE_EQ(s.step_seconds->median, 0.01);
  EXPECT_NEAR(s.training_seconds, 199 * 0.01 + 0.5, 1e-12);
  EXPECT_NEAR(*s.wall_seconds, s.training_seconds, 1e-12);
  EXPECT_NEAR(*s.other_share, 0, 1e-12);
  EXPECT_DOUBLE_EQ(*s.tokens_per_step, 1000);
  EXPECT_NEAR(*s.data_wait_share, 200e-5 / s.training_seconds, 1e-12);
  double last = 0;  // the final loss is the mean of a twentieth
  for (int i = 191; i <= 200; ++i) last += made.loss(i) / 10;
  EXPECT_NEAR(*s.final_train_loss, last, 1e-12);
  EXPECT_EQ(s.best_train_step, 200);
  EXPECT_EQ(s.final_eval->step, 200);
  EXPECT_NEAR(*s.last_fifth_change, made.validation(200) / made.validation(160) - 1, 1e-12);
  EXPECT_NEAR(*s.memory_deviation, 1000.0 / (100 << 20), 1e-12);
  EXPECT_FALSE(s.diverged());
  EXPECT_FALSE(s.constant_lr_step);
}

TEST(RunSummary, OneStepAloneAndNoStepAtAllAreFine) {
  MadeRun made;
  made.steps = 1;
  RunSummary one = summarise_run(made.record());
  EXPECT_EQ(one.step_seconds->count, 1u);
  EXPECT_FALSE(one.last_fifth_change);
  EXPECT_FALSE(one.throughput_change);
  RunSummary none = summarise_run(make_run_record({.folder = "r"}, {StartEvent{.step = 5}}));
  EXPECT_EQ(none.steps, 5);
  EXPECT_FALSE(none.final_train_loss);
  EXPECT_FALSE(none.tokens);
}

TEST(RunSummary, ValuesBetweenEvaluationsAreInterpolated) {
  RunRecord run = MadeRun().record();
  const MadeRun made;
  EXPECT_NEAR(*eval_at(run, RunAxis::tokens, 15000, false),
              (made.validation(10) + made.validation(20)) / 2, 1e-12);
  EXPECT_NEAR(*eval_at(run, RunAxis::tokens, 20000, true), made.validation(20) / 2, 1e-12);
  EXPECT_FALSE(eval_at(run, RunAxis::tokens, 9999, false));
  EXPECT_FALSE(eval_at(run, RunAxis::tokens, 200001, false));
}

}  // namespace
}  // namespace anneal
