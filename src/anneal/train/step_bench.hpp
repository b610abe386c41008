#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "anneal/train/step_cost.hpp"
#include "anneal/train/workload.hpp"

namespace anneal {

struct StepBenchOptions {
  int64_t steps = 10;
  int64_t warmup = 2;
  bool bound = true;  // measure the time of the matrix products alone
  std::function<void(const std::string&)> log{};
};

// Seconds of one step by phase, as the clock of the thread that starts the nodes sees them.
struct PhaseSeconds {
  double data = 0;  // waiting for the batch
  double forward = 0, recompute = 0, backward = 0, reduce = 0, update = 0;
  double other = 0;  // between programs: inputs, decisions, metrics
};

// A measurement of whole training steps. Seconds are those of one step, medians of several.
struct StepMeasurement {
  std::string name, precision, instruction_set, library;
  int64_t threads = 0;
  int64_t parameters = 0, batch = 0, context = 0, tokens = 0;  // of a step
  int64_t steps = 0;                                           // measured
  double step_seconds = 0, fastest_seconds = 0, slowest_seconds = 0, first_seconds = 0;
  double model_flops = 0;
  MachineRates rates;
  PhaseSeconds phases;
  std::optional<double> bound_seconds;
  double predicted_seconds = 0;
  int64_t planned_bytes = 0;
  // Peak RssAnon, looked at every few milliseconds, less what it was before the model was compiled.
  int64_t measured_bytes = 0;
  int64_t peak_rss_bytes = 0;

  double tokens_per_second() const { return static_cast<double>(tokens) / step_seconds; }
  // Share of the machine's matrix rate, measured in the same run, that the model's FLOPs use; none
  // in bf16 on a CPU without bf16 products.
  std::optional<double> mfu() const;
};

StepMeasurement measure_step(const RunConfig& config, const StepBenchOptions& options);

}  // namespace anneal
