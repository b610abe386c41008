#include "anneal/optim/adam.hpp"

#include <cmath>

#include "anneal/ops/elementwise/elementwise.hpp"

namespace anneal {
namespace {

Value adam_step(UpdateBuilder& u, const OptimizerConfig& c, Value p, Value g) {
  Builder& b = u.builder();
  Value m = add(b, scale(b, u.moment("m"), c.beta1), scale(b, g, 1 - c.beta1));
  Value v = add(b, scale(b, u.moment("v"), c.beta2), scale(b, square(b, g), 1 - c.beta2));
  u.store_moment("m", m);
  u.store_moment("v", v);
  Value root = mul(b, sqrt(b, v), u.scalar("inverse_root_bias2"));
  Value direction = div(b, m, shift(b, root, c.eps));
  return sub(b, p, mul(b, direction, u.scalar("step_size")));
}

Value update_adamw(UpdateBuilder& u, const OptimizerConfig& c) {
  Value p = u.parameter();
  if (decays(u.role()) && c.weight_decay != 0) p = mul(u.builder(), p, u.scalar("decay_factor"));
  return adam_step(u, c, p, u.gradient());
}

Value update_adam(UpdateBuilder& u, const OptimizerConfig& c) {
  Value g = u.gradient();
  if (decays(u.role()) && c.weight_decay != 0)
    g = add(u.builder(), g, scale(u.builder(), u.parameter(), c.weight_decay));
  return adam_step(u, c, u.parameter(), g);
}

NamedScalars adam_scalars(const OptimizerConfig& c, int64_t t, double lr) {
  double n = static_cast<double>(t);
  return {{"step_size", lr / (1 - std::pow(c.beta1, n))},
          {"inverse_root_bias2", 1 / std::sqrt(1 - std::pow(c.beta2, n))},
          {"decay_factor", 1 - lr * c.weight_decay}};
}

}  // namespace

const Optimizer adam = {"adam", update_adam, adam_scalars};
const Optimizer adamw = {"adamw", update_adamw, adam_scalars};

}  // namespace anneal
