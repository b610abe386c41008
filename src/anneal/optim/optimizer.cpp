#include "anneal/optim/optimizer.hpp"

#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/optim/adam.hpp"
#include "anneal/optim/lamb.hpp"
#include "anneal/optim/muon.hpp"
#include "anneal/optim/rmsprop.hpp"
#include "anneal/optim/sgd.hpp"

namespace anneal {

Value UpdateBuilder::scalar(const std::string& name) {
  if (Value v = b_.program().input(name)) return v;
  return b_.input(name, DType::f32, {});
}

int32_t UpdateBuilder::moment_index(const std::string& name) {
  int32_t index = b_.module().companion(parameter_, PersistentKind::moment, "." + name);
  if (index >= 0) return index;
  Persistent p = b_.module().persistent(parameter_);
  p.name += "." + name;
  p.kind = PersistentKind::moment;
  p.init = {};
  p.of = parameter_;
  return b_.module().add_persistent(std::move(p));
}

Value UpdateBuilder::moment(const std::string& name) { return b_.persistent(moment_index(name)); }

void UpdateBuilder::store_moment(const std::string& name, Value value) {
  b_.store(moment_index(name), value);
}

std::span<const Optimizer* const> all_optimizers() {
  static const Optimizer* const all[] = {&sgd, &adam, &adamw, &rmsprop, &lamb, &muon};
  return all;
}

const Optimizer& find_optimizer(const std::string& kind) {
  for (const Optimizer* optimizer : all_optimizers())
    if (optimizer->kind == kind) return *optimizer;
  throw UsageError(str("[optimizer.kind] there is no optimizer named \"", kind, "\""));
}

const Optimizer& optimizer_of(const OptimizerConfig& config) {
  return config.custom ? *config.custom : find_optimizer(config.kind);
}

OptimizerConfig recommended(const std::string& kind) {
  OptimizerConfig config;
  config.kind = kind;
  find_optimizer(kind).recommend(config);
  return config;
}

Value l2_regularised(UpdateBuilder& u, const OptimizerConfig& c) {
  if (!decays(u.role()) || c.weight_decay == 0) return u.gradient();
  Builder& b = u.builder();
  return add(b, u.gradient(), scale(b, u.parameter(), c.weight_decay));
}

Value decayed(UpdateBuilder& u, const OptimizerConfig& c) {
  if (!decays(u.role()) || c.weight_decay == 0) return u.parameter();
  return mul(u.builder(), u.parameter(), u.scalar("decay_factor"));
}

Value decaying_mean(UpdateBuilder& u, const std::string& name, Value x, double decay,
                    double share) {
  Builder& b = u.builder();
  if (share != 1) x = scale(b, x, share);
  Value mean = add(b, scale(b, u.moment(name), decay), x);
  u.store_moment(name, mean);
  return mean;
}

}  // namespace anneal
