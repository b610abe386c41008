#pragma once

#include "anneal/optim/config.hpp"

namespace anneal {

// The learning rate of the update that follows `step` finished ones (from 0): a pure function of
// the step and the config, so that a resumed run has it by construction.
//
// Lengths count steps, or tokens where schedule.unit is "tokens"; below, k is what one step counts:
// 1, or tokens_per_step. The schedule stands at s = step·k, w is warmup_steps, T the horizon
// (train_steps·k where the schedule does not say its own), x = s − w, and p = x/max(1, T − w), at
// most 1.
//
//   s < w            lr·min(1, (s + k)/w)
//   constant         lr
//   linear           lr + (min_lr − lr)·p
//   exponential      lr·e^(−λx); with decay_rate 0, λ = ln(lr/min_lr)/max(1, T − w), and no further
//                    than min_lr
//   cosine           min_lr + ½(lr − min_lr)(1 + cos πp)            (SGDR, arXiv:1608.03983)
//   warm_restarts    cosine from lr·restart_decay^i to min_lr over cycle i, which is
//                    restart_period·restart_growth^i long            (SGDR)
//   wsd              lr, then over the last decay_steps of the horizon linearly to min_lr
//                    (warm-up, stable, decay: Hu et al., arXiv:2404.06395)
//
// Throws UsageError naming the key where the schedule is not one of these.
double learning_rate(int64_t step, double lr, const ScheduleConfig& schedule, int64_t train_steps,
                     int64_t tokens_per_step = 1);

// Whether rates change with train.steps, so that a longer run is another one from its start.
bool follows_train_steps(const ScheduleConfig& schedule);

}  // namespace anneal
