#include <chrono>

#include "anneal/ir/verify.hpp"
#include "anneal/passes/pass.hpp"

namespace anneal {
namespace {

// The order is fixed. Passes that split a program over ranks stand before `expand` (tensor and
// sequence sharding, gathering of sharded parameters, pipeline stages); the reduction of gradients
// over ranks belongs to `accumulate`.
constexpr Pass passes[] = {
    {"adapt", adapt},
    {"simplify", simplify},
    {"expand", expand},
    {"differentiate", differentiate},
    {"mixed_precision", mixed_precision},
    {"recompute", recompute},
    {"accumulate", accumulate},
    {"append_optimizer", append_optimizer},
    {"simplify_again", simplify},
    {"fuse", fuse},
    {"schedule", schedule},
    {"plan_memory", plan_memory},
};

}  // namespace

std::span<const Pass> pipeline() { return passes; }

Plan run_passes(Module& module, const PassOptions& options, Target& target,
                const PassObserver& observe) {
  Plan plan;
  PassContext context{options, target, plan};
  verify(module, "building the model");
  for (const Pass& pass : passes) {
    auto start = std::chrono::steady_clock::now();
    pass.run(module, context);
    verify(module, std::string(pass.name));
    std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (observe) observe(pass, module, elapsed.count());
  }
  return plan;
}

}  // namespace anneal
