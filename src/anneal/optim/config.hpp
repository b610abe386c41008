#pragma once

#include <cstdint>
#include <string>

namespace anneal {

struct Optimizer;

struct OptimizerConfig {
  std::string kind = "adamw";  // sgd | adam | adamw | rmsprop | lamb | muon
  double lr = 6e-4;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
  double momentum = 0.0;
  double dampening = 0.0;
  bool nesterov = false;
  double alpha = 0.99;
  bool centered = false;
  const Optimizer* custom = nullptr;  // a rule of one's own, in place of that of `kind`
  bool operator==(const OptimizerConfig&) const = default;
};

struct ScheduleConfig {
  std::string kind = "cosine";  // constant | linear | exponential | cosine | warm_restarts | wsd
  std::string unit = "steps";   // steps | tokens: what the lengths below count
  int64_t warmup_steps = 100;
  double min_lr = 6e-5;
  int64_t horizon = 0;         // what the schedule spans; 0: train.steps
  double decay_rate = 0;       // exponential: λ; 0: such that min_lr is reached at the horizon
  int64_t restart_period = 0;  // warm_restarts: T0
  double restart_growth = 1;   // warm_restarts: Tmult
  double restart_decay = 1;    // warm_restarts: of the peak, from one cycle to the next
  int64_t decay_steps = 0;     // wsd: the last part; 0: a fifth of what follows the warm-up
  bool operator==(const ScheduleConfig&) const = default;
};

}  // namespace anneal
