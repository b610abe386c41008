#include "anneal/ir/builder.hpp"
#include "anneal/ops/elementwise/elementwise.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/passes/pass.hpp"

// Program `apply`: multiplies the finished gradients by the scalar input clip_factor (clipping by
// the global norm, and the inverse of the loss scale), clips their elements to ±clip_value if asked
// to, lets the optimizer write each parameter's update, and keeps low-precision copies current.

namespace anneal {

void append_optimizer(Module& module, const PassContext& context) {
  if (!module.programs.contains("reduce")) return;
  const Optimizer& optimizer = optimizer_of(context.options.optimizer);
  Program program;
  Builder b(program, &module);
  b.set_phase(Phase::apply);
  Value clip = b.input("clip_factor", DType::f32, {});
  Value largest, smallest;
  if (context.options.clip_value) {
    largest = b.input("clip_value", DType::f32, {});
    smallest = scale(b, largest, -1);
  }
  for (int32_t parameter : module.parameters()) {
    int32_t gradient = module.companion(parameter, PersistentKind::gradient, ".grad");
    if (gradient < 0) continue;
    b.set_scope(module.persistent(parameter).name);
    Value clipped = mul(b, b.persistent(gradient), clip);
    if (largest) clipped = apply(b, Ew::maximum, apply(b, Ew::minimum, clipped, largest), smallest);
    UpdateBuilder update(b, parameter, clipped);
    Value next = optimizer.update(update, context.options.optimizer);
    b.store(parameter, next);
    if (int32_t copy = module.companion(parameter, PersistentKind::copy); copy >= 0)
      b.store(copy, cast(b, next, module.persistent(copy).type.dtype));
  }
  module.programs["apply"] = std::move(program);
}

}  // namespace anneal
