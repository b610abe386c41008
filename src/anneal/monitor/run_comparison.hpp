#pragma once

#include <optional>
#include <string>
#include <vector>

#include "anneal/monitor/run_findings.hpp"

namespace anneal {

// A setting whose values are not the same in all runs.
struct DifferingSetting {
  std::string key;
  std::vector<std::string> values;  // of each run; "": it has none
};

std::vector<DifferingSetting> differing_settings(const std::vector<RunRecord>& runs);

// One run beside another. A difference "shows" where it is larger than what the noise in these runs
// makes; the rules are in docs/reports.md.
struct RunComparison {
  size_t run = 0, against = 0;

  std::vector<std::string> settings;  // keys that differ and can change what is compared here
  bool settings_known = false;
  std::vector<std::string> machine;  // "host", "threads", …: facts of the machine that differ

  // How many times as fast `run` is, by the medians of tokens a second.
  std::optional<double> speed;
  double speed_threshold = 0;  // smaller differences, relative, do not show
  bool speed_shows = false;
  bool same_step = false;  // both have as many tokens a step

  std::string measure;       // "validation loss", "bits per byte" or "training loss"
  std::string incomparable;  // why there is no value below; "": there is
  std::string caveat;        // what else may make them differ; "": nothing known
  std::optional<double> value, against_value;
  std::optional<double> at_tokens;  // where both were taken, if not at the end of both
  double loss_threshold = 0;        // smaller differences do not show
  bool loss_shows = false;
  // The measure of each after as many seconds of training as the quicker one took.
  std::optional<double> after_seconds, value_then, against_value_then;

  std::optional<double> memory;  // peak of `run` over that of `against`
  bool memory_shows = false;
};

// Compares two of the runs; the others tell what a change of seed alone makes.
RunComparison compare_runs(const std::vector<RunRecord>& runs,
                           const std::vector<RunSummary>& summaries, size_t run, size_t against);

// The sentences of a report on these runs: with several, first which to choose, then how each
// compares with the first; then what each run says by itself.
std::vector<Finding> conclude(const std::vector<RunRecord>& runs,
                              const std::vector<RunSummary>& summaries);

}  // namespace anneal
