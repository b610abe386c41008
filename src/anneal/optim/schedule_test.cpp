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

TEST(Schedule, UnknownKindsAreRefused) { EXPECT_THROW(at("cosin", 5, 0, 0, 10), UsageError); }

}  // namespace
}  // namespace anneal
