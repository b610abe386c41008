#include "anneal/optim/sgd.hpp"

#include "anneal/ops/elementwise/elementwise.hpp"

namespace anneal {
namespace {

Value update(UpdateBuilder& u, const OptimizerConfig& c) {
  Builder& b = u.builder();
  Value g = u.gradient();
  if (decays(u.role()) && c.weight_decay != 0)
    g = add(b, g, scale(b, u.parameter(), c.weight_decay));
  if (c.momentum != 0) {
    Value velocity = add(b, scale(b, u.moment("velocity"), c.momentum), g);
    u.store_moment("velocity", velocity);
    g = c.nesterov ? add(b, g, scale(b, velocity, c.momentum)) : velocity;
  }
  return sub(b, u.parameter(), mul(b, g, u.scalar("lr")));
}

NamedScalars scalars(const OptimizerConfig&, int64_t, double lr) { return {{"lr", lr}}; }

}  // namespace

const Optimizer sgd = {"sgd", update, scalars};

}  // namespace anneal
