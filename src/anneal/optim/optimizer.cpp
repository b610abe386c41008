#include "anneal/optim/optimizer.hpp"

#include "anneal/optim/adam.hpp"
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

const Optimizer& find_optimizer(const std::string& kind) {
  static const Optimizer* const all[] = {&adamw, &adam, &sgd};
  for (const Optimizer* optimizer : all)
    if (optimizer->kind == kind) return *optimizer;
  throw UsageError(str("[optimizer.kind] there is no optimizer named \"", kind, "\""));
}

}  // namespace anneal
