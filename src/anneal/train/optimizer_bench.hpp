#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "anneal/train/workload.hpp"

namespace anneal {

// One training of a comparison of optimizers or schedules, all from the same initial weights on the
// same batches in the same order.
struct OptimizerRun {
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  std::vector<double> losses;  // of each step, before its update
  bool diverged = false;       // losses end where they were last finite
  int64_t state_bytes = 0;     // of moments
  int64_t parameters = 0;
  double step_seconds = 0;    // median
  double update_seconds = 0;  // median
  double update_bytes = 0;    // read and written by the update's nodes
  // Mean loss over the last steps (see smoothing_window), infinite after divergence.
  double final_loss() const;
  // Steps until the mean loss over the last steps is at most `target`; none if it never is, or the
  // run diverged.
  std::optional<int64_t> steps_to(double target) const;
};

// Steps over which losses are averaged: a twentieth of the run.
int64_t smoothing_window(int64_t steps);

class OptimizerBench {
 public:
  using Log = std::function<void(const std::string&)>;
  // The config gives model, data, batch and number of steps. Prepares the data.
  OptimizerBench(RunConfig config, Log log = {});

  // One training with this optimizer and schedule.
  OptimizerRun run(const OptimizerConfig& optimizer, const ScheduleConfig& schedule);

  // The best of several rates: starting at optimizer.lr it goes on by factors of √10, and to the
  // side where the final loss falls, while it falls. min_lr keeps its share of the rate.
  OptimizerRun tuned(OptimizerConfig optimizer, const ScheduleConfig& schedule);

 private:
  RunConfig config_;
  Log log_;
  std::shared_ptr<const WorkloadData> data_;
  CpuTarget target_;
};

// What to start tuning at: the rate at which this kind usually learns a small model. Momentum of
// 0.9 for sgd; no L2 regularisation, which is another thing than the decoupled decay of the others.
OptimizerConfig usual_config(const std::string& kind);

}  // namespace anneal
