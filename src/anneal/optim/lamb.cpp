#include "anneal/optim/lamb.hpp"

#include <cmath>

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/ops/grad_norm/grad_norm.hpp"
#include "anneal/optim/adam.hpp"

namespace anneal {
namespace {

// ‖p‖/‖u‖, or 1 where either is 0; a scalar.
Value trust_ratio(Builder& b, Value p, Value u) {
  Value of_p = norm(b, p), of_u = norm(b, u);
  Value known = mul(b, apply(b, Ew::step, of_p), apply(b, Ew::step, of_u));  // 1 or 0
  Value unknown = shift(b, scale(b, known, -1), 1);
  return add(b, mul(b, known, div(b, of_p, add(b, of_u, unknown))), unknown);
}

Value update(UpdateBuilder& u, const OptimizerConfig& c) {
  Builder& b = u.builder();
  Value p = u.parameter();
  Value direction = mul(b, adam_direction(u, c, u.gradient()), u.scalar("inverse_bias1"));
  if (decays(u.role()) && c.weight_decay != 0)
    direction = add(b, direction, scale(b, p, c.weight_decay));
  Value rate = u.scalar("lr");
  if (!is_of_norm(u.role())) rate = mul(b, rate, trust_ratio(b, p, direction));
  return sub(b, p, mul(b, direction, rate));
}

NamedScalars scalars(const OptimizerConfig& c, int64_t t, double lr) {
  double n = static_cast<double>(t);
  return {{"lr", lr},
          {"inverse_bias1", 1 / (1 - std::pow(c.beta1, n))},
          {"inverse_root_bias2", 1 / std::sqrt(1 - std::pow(c.beta2, n))}};
}

}  // namespace

const Optimizer lamb = {"lamb", update, scalars, [](OptimizerConfig& c) { c.eps = 1e-6; }};

}  // namespace anneal
