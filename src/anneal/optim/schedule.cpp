#include "anneal/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

// From `high` at p = 0 to `low` at p = 1.
double half_cosine(double high, double low, double p) {
  return low + 0.5 * (high - low) * (1 + std::cos(std::numbers::pi * p));
}

double warm_restarts(double x, double lr, const ScheduleConfig& c) {
  if (c.restart_period <= 0)
    throw UsageError("[schedule.restart_period] warm_restarts needs the length of a cycle");
  auto period = static_cast<double>(c.restart_period);
  double peak = lr;
  if (c.restart_growth == 1) {
    double cycle = std::floor(x / period);
    peak *= std::pow(c.restart_decay, cycle);
    x -= cycle * period;
  } else {
    // Cycle i begins at T0·(g^i − 1)/(g − 1).
    double g = c.restart_growth;
    auto begin = [&](double i) { return period * (std::pow(g, i) - 1) / (g - 1); };
    double cycle = std::floor(std::log1p(x / period * (g - 1)) / std::log(g));
    if (begin(cycle + 1) <= x) ++cycle;  // rounding
    if (begin(cycle) > x) --cycle;
    peak *= std::pow(c.restart_decay, cycle);
    x -= begin(cycle);
    period *= std::pow(g, cycle);
  }
  return half_cosine(std::max(peak, c.min_lr), c.min_lr, std::min(1.0, x / period));
}

}  // namespace

double learning_rate(int64_t step, double lr, const ScheduleConfig& c, int64_t train_steps,
                     int64_t tokens_per_step) {
  if (c.unit != "steps" && c.unit != "tokens")
    throw UsageError(str("[schedule.unit] expected steps or tokens, got \"", c.unit, "\""));
  double k = c.unit == "tokens" ? static_cast<double>(tokens_per_step) : 1;
  double position = static_cast<double>(step) * k, warmup = static_cast<double>(c.warmup_steps);
  if (position < warmup) return lr * std::min(1.0, (position + k) / warmup);
  double horizon =
      c.horizon > 0 ? static_cast<double>(c.horizon) : static_cast<double>(train_steps) * k;
  double x = position - warmup, span = std::max(1.0, horizon - warmup);
  double p = std::min(1.0, x / span);
  if (c.kind == "constant") return lr;
  if (c.kind == "linear") return lr + (c.min_lr - lr) * p;
  if (c.kind == "cosine") return half_cosine(lr, c.min_lr, p);
  if (c.kind == "exponential") {
    if (c.decay_rate > 0) return lr * std::exp(-c.decay_rate * x);
    return lr * std::pow(c.min_lr / lr, p);
  }
  if (c.kind == "warm_restarts") return warm_restarts(x, lr, c);
  if (c.kind == "wsd") {
    double decay = c.decay_steps > 0 ? static_cast<double>(c.decay_steps) : span / 5;
    double left = std::max(0.0, span - x);
    return c.min_lr + (lr - c.min_lr) * std::min(1.0, left / std::min(decay, span));
  }
  throw UsageError(str("[schedule.kind] there is no schedule named \"", c.kind, "\""));
}

bool follows_train_steps(const ScheduleConfig& c) {
  if (c.horizon > 0 || c.kind == "constant" || c.kind == "warm_restarts") return false;
  return c.kind != "exponential" || c.decay_rate == 0;
}

}  // namespace anneal
