#pragma once

#include "anneal/optim/config.hpp"

namespace anneal {

// The learning rate of the update that follows `step` finished ones (from 0): a pure function of
// the step and the config, so that a resumed run has it by construction.
//
//   step < w            lr·(step + 1)/w, w = warmup_steps
//   constant            lr
//   linear              lr + (min_lr − lr)·p
//   cosine              min_lr + ½(lr − min_lr)(1 + cos πp)      (SGDR, arXiv:1608.03983)
//
// with p = (step − w)/max(1, horizon − w), at most 1; horizon is train_steps where the schedule
// does not say its own.
double learning_rate(int64_t step, double lr, const ScheduleConfig& schedule, int64_t train_steps);

}  // namespace anneal
