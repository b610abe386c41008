#include "anneal/optim/sgd.hpp"

#include "anneal/ops/elementwise/elementwise.hpp"

namespace anneal {
namespace {

Value update(UpdateBuilder& u, const OptimizerConfig& c) {
  Builder& b = u.builder();
  Value g = l2_regularised(u, c);
  if (c.momentum != 0) {
    Value share = c.dampening == 0 ? g : mul(b, g, u.scalar("gradient_share"));
    Value velocity = decaying_mean(u, "velocity", share, c.momentum, 1);
    g = c.nesterov ? add(b, g, scale(b, velocity, c.momentum)) : velocity;
  }
  return sub(b, u.parameter(), mul(b, g, u.scalar("lr")));
}

NamedScalars scalars(const OptimizerConfig& c, int64_t t, double lr) {
  return {{"lr", lr}, {"gradient_share", t == 1 ? 1 : 1 - c.dampening}};
}

}  // namespace

const Optimizer sgd = {"sgd", update, scalars};

}  // namespace anneal
