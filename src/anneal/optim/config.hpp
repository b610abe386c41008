#pragma once

#include <cstdint>
#include <string>

namespace anneal {

struct OptimizerConfig {
  std::string kind = "adamw";  // sgd | adam | adamw
  double lr = 6e-4;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
  double momentum = 0.0;
  bool nesterov = false;
  bool operator==(const OptimizerConfig&) const = default;
};

struct ScheduleConfig {
  std::string kind = "cosine";  // constant | linear | cosine
  int64_t warmup_steps = 100;
  double min_lr = 6e-5;
  int64_t horizon = 0;  // steps the schedule spans; 0: train.steps
  bool operator==(const ScheduleConfig&) const = default;
};

}  // namespace anneal
