#pragma once

#include <functional>
#include <string>
#include <vector>

#include "anneal/train/step_cost.hpp"

namespace anneal {

// One kernel of a training step, run alone on random operands.
struct KernelMeasurement {
  std::string op;
  std::string scope;  // of its first use
  std::string phase;
  std::string shapes;  // f32 [4,256,768], f32 [768,2304] -> f32 [4,256,2304]
  int64_t calls = 0;   // in a step
  double seconds = 0;  // a call, median
  Cost cost;           // of a call
  double roofline_seconds = 0;
  // What a step would save if every call ran at its roofline.
  double lost_seconds() const { return static_cast<double>(calls) * (seconds - roofline_seconds); }
};

// Every distinct kernel of a training step of this config, the one that loses most first. `rates`
// are those of this machine; sets the number of threads. Operands are as far from the caches as
// their size takes them: those that fit stay there between the runs.
std::vector<KernelMeasurement> measure_kernels(
    const RunConfig& config, const MachineRates& rates,
    const std::function<void(const std::string&)>& log = {});

}  // namespace anneal
