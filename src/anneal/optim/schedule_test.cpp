#include "anneal/optim/schedule.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <numbers>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

constexpr double lr = 3e-3, min_lr = 1e-4;

double at(const char* kind, int64_t step, int64_t warmup, int64_t horizon, int64_t steps) {
  return learning_rate(step, lr,
                       {.kind = kind, .warmup_steps = warmup, .min_lr = min_lr, .horizon = horizon},
                       steps);
}

TEST(Schedule, WarmUpRisesFromOneStepToTheFullRate) {
  for (const char* kind : {"constant", "linear", "cosine"}) {
    for (int64_t s = 0; s < 10; ++s)
      EXPECT_DOUBLE_EQ(at(kind, s, 10, 0, 100), lr * static_cast<double>(s + 1) / 10) << kind;
    EXPECT_DOUBLE_EQ(at(kind, 10, 10, 0, 100), lr) << kind;
  }
}

TEST(Schedule, ClosedForms) {
  for (int64_t s = 10; s <= 100; ++s) {
    double p = static_cast<double>(s - 10) / 90;
    EXPECT_DOUBLE_EQ(at("constant", s, 10, 0, 100), lr);
    EXPECT_NEAR(at("linear", s, 10, 0, 100), lr * (1 - p) + min_lr * p, 1e-17);
    EXPECT_NEAR(at("cosine", s, 10, 0, 100),
                min_lr + 0.5 * (lr - min_lr) * (1 + std::cos(std::numbers::pi * p)), 1e-17);
  }
  EXPECT_NEAR(at("cosine", 55, 10, 0, 100), (lr + min_lr) / 2, 1e-17);
}

TEST(Schedule, EndsAtTheMinimumAndStaysThere) {
  for (const char* kind : {"linear", "cosine"})
    for (int64_t s : {100, 101, 5000}) EXPECT_NEAR(at(kind, s, 10, 0, 100), min_lr, 1e-17) << kind;
}

TEST(Schedule, TheHorizonStandsForTheSteps) {
  for (int64_t s = 0; s < 80; ++s) EXPECT_EQ(at("cosine", s, 5, 40, 80), at("cosine", s, 5, 0, 40));
}

TEST(Schedule, NoWarmUpAndOnlyWarmUp) {
  EXPECT_DOUBLE_EQ(at("cosine", 0, 0, 0, 10), lr);
  // Warm-up may be longer than the run.
  EXPECT_DOUBLE_EQ(at("cosine", 9, 100, 0, 10), lr * 0.1);
  EXPECT_NEAR(at("cosine", 101, 100, 0, 10), min_lr, 1e-17);
}

TEST(Schedule, ExponentialFallsByItsRateOrToTheMinimum) {
  ScheduleConfig c{.kind = "exponential", .warmup_steps = 10, .min_lr = min_lr, .decay_rate = 0.02};
  for (int64_t s = 10; s < 500; ++s)
    EXPECT_DOUBLE_EQ(learning_rate(s, lr, c, 100),
                     lr * std::exp(-0.02 * static_cast<double>(s - 10)));
  c.decay_rate = 0;
  double lambda = std::log(lr / min_lr) / 90;
  for (int64_t s = 10; s <= 100; ++s)
    EXPECT_NEAR(learning_rate(s, lr, c, 100), lr * std::exp(-lambda * static_cast<double>(s - 10)),
                1e-15);
  EXPECT_NEAR(learning_rate(500, lr, c, 100), min_lr, 1e-17);
}

// Counts off the cycles one by one.
TEST(Schedule, WarmRestartsBeginEachCycleAtItsPeak) {
  for (double growth : {1.0, 2.0, 1.5}) {
    ScheduleConfig c{.kind = "warm_restarts",
                     .warmup_steps = 7,
                     .min_lr = min_lr,
                     .restart_period = 20,
                     .restart_growth = growth,
                     .restart_decay = 0.8};
    double begin = 7, length = 20, peak = lr;
    for (int64_t s = 7; s < 400; ++s) {
      auto at_step = static_cast<double>(s);
      if (at_step >= begin + length)
        begin += length, length *= growth, peak = std::max(0.8 * peak, min_lr);
      double p = (at_step - begin) / length;
      EXPECT_NEAR(learning_rate(s, lr, c, 5),
                  min_lr + 0.5 * (peak - min_lr) * (1 + std::cos(std::numbers::pi * p)), 1e-15)
          << growth << " " << s;
    }
  }
}

TEST(Schedule, WarmRestartsNeverPeakBelowTheMinimum) {
  ScheduleConfig c{.kind = "warm_restarts",
                   .warmup_steps = 0,
                   .min_lr = min_lr,
                   .restart_period = 10,
                   .restart_decay = 0.1};
  for (int64_t s = 50; s < 90; ++s) EXPECT_EQ(learning_rate(s, lr, c, 90), min_lr);
}

TEST(Schedule, WarmupStableDecay) {
  ScheduleConfig c{.kind = "wsd", .warmup_steps = 10, .min_lr = min_lr, .decay_steps = 30};
  for (int64_t s = 10; s <= 70; ++s) EXPECT_DOUBLE_EQ(learning_rate(s, lr, c, 100), lr);
  for (int64_t s = 70; s <= 100; ++s)
    EXPECT_NEAR(learning_rate(s, lr, c, 100),
                min_lr + (lr - min_lr) * static_cast<double>(100 - s) / 30, 1e-15);
  EXPECT_DOUBLE_EQ(learning_rate(300, lr, c, 100), min_lr);
  // A fifth of the 90 steps behind the warm-up.
  c.decay_steps = 0;
  EXPECT_DOUBLE_EQ(learning_rate(82, lr, c, 100), lr);
  EXPECT_NEAR(learning_rate(91, lr, c, 100), (lr + min_lr) / 2, 1e-15);
  // Longer than all there is: a fall from the first step behind the warm-up.
  c.decay_steps = 1000;
  EXPECT_NEAR(learning_rate(55, lr, c, 100), (lr + min_lr) / 2, 1e-15);
}

// 512 tokens a step: a schedule of 51,200 tokens is one of 100 steps.
TEST(Schedule, TokensInsteadOfSteps) {
  for (const char* kind : {"constant", "linear", "exponential", "cosine", "warm_restarts", "wsd"}) {
    ScheduleConfig steps{.kind = kind,
                         .warmup_steps = 10,
                         .min_lr = min_lr,
                         .horizon = 100,
                         .restart_period = 30,
                         .restart_growth = 2,
                         .decay_steps = 25};
    ScheduleConfig tokens = steps;
    tokens.unit = "tokens";
    for (int64_t* length :
         {&tokens.warmup_steps, &tokens.horizon, &tokens.restart_period, &tokens.decay_steps})
      *length *= 512;
    for (int64_t s = 0; s < 130; ++s)
      EXPECT_NEAR(learning_rate(s, lr, steps, 100), learning_rate(s, lr, tokens, 100, 512), 1e-15)
          << kind << " " << s;
    tokens.horizon = 0;
    EXPECT_NEAR(learning_rate(60, lr, steps, 100), learning_rate(60, lr, tokens, 100, 512), 1e-15);
  }
}

TEST(Schedule, WarmUpOfTokensThatNoStepEndsWith) {
  ScheduleConfig c{.kind = "constant", .unit = "tokens", .warmup_steps = 1000};
  EXPECT_DOUBLE_EQ(learning_rate(0, lr, c, 10, 400), lr * 0.4);
  EXPECT_DOUBLE_EQ(learning_rate(1, lr, c, 10, 400), lr * 0.8);
  EXPECT_DOUBLE_EQ(learning_rate(2, lr, c, 10, 400), lr);
}

TEST(Schedule, WhichOnesALongerRunChanges) {
  auto follows = [](ScheduleConfig c) { return follows_train_steps(c); };
  for (const char* kind : {"linear", "cosine", "exponential", "wsd"}) {
    EXPECT_TRUE(follows({.kind = kind})) << kind;
    EXPECT_FALSE(follows({.kind = kind, .horizon = 10})) << kind;
  }
  EXPECT_FALSE(follows({.kind = "exponential", .decay_rate = 0.1}));
  EXPECT_FALSE(follows({.kind = "constant"}));
  EXPECT_FALSE(follows({.kind = "warm_restarts", .restart_period = 10}));
}

TEST(Schedule, WhatIsNoScheduleIsRefused) {
  EXPECT_THROW(at("cosin", 5, 0, 0, 10), UsageError);
  EXPECT_THROW(at("warm_restarts", 5, 0, 0, 10), UsageError);  // of no length
  EXPECT_THROW(learning_rate(5, lr, {.unit = "epochs"}, 10), UsageError);
}

}  // namespace
}  // namespace anneal
