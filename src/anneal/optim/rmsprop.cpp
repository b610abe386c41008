#include "anneal/optim/rmsprop.hpp"

#include "anneal/ops/elementwise/elementwise.hpp"

namespace anneal {
namespace {

Value update(UpdateBuilder& u, const OptimizerConfig& c) {
  Builder& b = u.builder();
  Value g = l2_regularised(u, c);
  Value v = decaying_mean(u, "v", square(b, g), c.alpha, 1 - c.alpha);
  if (c.centered) {
    Value mean = decaying_mean(u, "mean", g, c.alpha, 1 - c.alpha);
    // A variance, which rounding may leave below zero.
    v = relu(b, sub(b, v, square(b, mean)));
  }
  Value direction = div(b, g, shift(b, sqrt(b, v), c.eps));
  if (c.momentum != 0) direction = decaying_mean(u, "velocity", direction, c.momentum, 1);
  return sub(b, u.parameter(), mul(b, direction, u.scalar("lr")));
}

NamedScalars scalars(const OptimizerConfig&, int64_t, double lr) { return {{"lr", lr}}; }

}  // namespace

const Optimizer rmsprop = {"rmsprop", update, scalars};

}  // namespace anneal
