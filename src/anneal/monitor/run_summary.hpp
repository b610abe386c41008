#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "anneal/monitor/run_record.hpp"
#include "anneal/monitor/run_statistics.hpp"

namespace anneal {

// A run in numbers; docs/reports.md defines each. What the metrics do not say is absent. Losses are
// in nats a token, times in seconds, sizes in bytes, shares and changes fractions of 1.
struct RunSummary {
  int64_t steps = 0;                      // updates done
  std::optional<int64_t> intended_steps;  // train.steps
  std::optional<int64_t> tokens;
  size_t logged_steps = 0;
  std::string status;  // of the last end: done, interrupted, …; "no end" where there is none
  std::optional<int64_t> diverged_step;  // updates done when something was not finite any more

  double training_seconds = 0;         // steps only
  std::optional<double> wall_seconds;  // all processes; absent if one wrote no end
  std::optional<double> other_share;   // of the wall time: evaluation, sampling, saving

  std::optional<double> final_train_loss, train_loss_error, best_train_loss;
  std::optional<int64_t> best_train_step;
  std::optional<double> final_train_accuracy;
  std::optional<EvalEvent> final_eval, best_eval;
  std::optional<double> eval_noise;
  // Change of the validation loss (of the training loss without evaluations) over the last fifth of
  // the steps, relative to where that began; negative: it fell.
  std::optional<double> last_fifth_change;

  std::optional<Quartiles> step_seconds, tokens_per_second;
  std::optional<double> tokens_per_step;
  std::optional<double>
      throughput_change;                   // median of the last quarter over that of the first, - 1
  bool throughput_change_shows = false;    // it lies outside the middle half of the first
  std::optional<double> mfu, cpu_percent;  // medians
  std::optional<double> data_wait_share;   // of the steps' time

  std::optional<double> clipped_share;  // of the second half of the steps
  std::optional<double> final_lr;
  std::optional<int64_t> constant_lr_step;  // since when the rate has been final_lr, below its peak

  // Of the last process.
  std::optional<int64_t> planned_bytes, baseline_bytes, peak_anon_bytes, peak_rss_bytes;
  std::optional<double> memory_deviation;  // (peak_anon - baseline - planned) / planned

  size_t checkpoints = 0;
  std::optional<int64_t> checkpoint_bytes;  // of the last
  double stall_seconds = 0;                 // all checkpoints

  bool diverged() const { return diverged_step.has_value(); }
};

RunSummary summarise_run(const RunRecord& run);

// How many of the logged steps the final training loss is the mean of: a twentieth, 1 to 100.
size_t loss_window(const RunRecord& run);

// What a position in a run is counted in.
enum class RunAxis { tokens, seconds };

// The validation loss (in bits per byte if `bits`) at a position, linearly between the evaluations
// around it; nothing outside of them.
std::optional<double> eval_at(const RunRecord& run, RunAxis axis, double position, bool bits);

// The training loss there: the mean over the window that ends at the position.
std::optional<double> train_loss_at(const RunRecord& run, RunAxis axis, double position);

}  // namespace anneal
