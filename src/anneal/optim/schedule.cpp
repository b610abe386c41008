#include "anneal/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "anneal/base/error.hpp"

namespace anneal {

double learning_rate(int64_t step, double lr, const ScheduleConfig& schedule, int64_t train_steps) {
  int64_t warmup = schedule.warmup_steps;
  if (step < warmup) return lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  int64_t horizon = schedule.horizon > 0 ? schedule.horizon : train_steps;
  double span = static_cast<double>(std::max<int64_t>(1, horizon - warmup));
  double p = std::min(1.0, static_cast<double>(step - warmup) / span);
  if (schedule.kind == "constant") return lr;
  if (schedule.kind == "linear") return lr + (schedule.min_lr - lr) * p;
  if (schedule.kind == "cosine")
    return schedule.min_lr + 0.5 * (lr - schedule.min_lr) * (1 + std::cos(std::numbers::pi * p));
  throw UsageError(str("[schedule.kind] there is no schedule named \"", schedule.kind, "\""));
}

}  // namespace anneal
