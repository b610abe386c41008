#include "anneal/train/compile.hpp"

namespace anneal {

Session compile(Module module, const PassOptions& options, CpuTarget& target,
                const PassObserver& observe) {
  Plan plan = run_passes(module, options, target, observe);
  return Session(std::move(module), std::move(plan), target);
}

}  // namespace anneal
