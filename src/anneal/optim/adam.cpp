#include "anneal/optim/adam.hpp"

#include <cmath>

#include "anneal/ops/elementwise/elementwise.hpp"

namespace anneal {
namespace {

Value adam_step(UpdateBuilder& u, const OptimizerConfig& c, Value p, Value g) {
  Builder& b = u.builder();
  return sub(b, p, mul(b, adam_direction(u, c, g), u.scalar("step_size")));
}

Value adam_update(UpdateBuilder& u, const OptimizerConfig& c) {
  return adam_step(u, c, u.parameter(), l2_regularised(u, c));
}

}  // namespace

Value adam_direction(UpdateBuilder& u, const OptimizerConfig& c, Value g) {
  Builder& b = u.builder();
  Value m = decaying_mean(u, "m", g, c.beta1, 1 - c.beta1);
  Value v = decaying_mean(u, "v", square(b, g), c.beta2, 1 - c.beta2);
  Value root = mul(b, sqrt(b, v), u.scalar("inverse_root_bias2"));
  return div(b, m, shift(b, root, c.eps));
}

Value adamw_update(UpdateBuilder& u, const OptimizerConfig& c) {
  return adam_step(u, c, decayed(u, c), u.gradient());
}

NamedScalars adamw_scalars(const OptimizerConfig& c, int64_t t, double lr) {
  double n = static_cast<double>(t);
  return {{"step_size", lr / (1 - std::pow(c.beta1, n))},
          {"inverse_root_bias2", 1 / std::sqrt(1 - std::pow(c.beta2, n))},
          {"decay_factor", 1 - lr * c.weight_decay}};
}

const Optimizer adam = {"adam", adam_update, adamw_scalars};
const Optimizer adamw = {"adamw", adamw_update, adamw_scalars};

}  // namespace anneal
