#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "anneal/monitor/metrics.hpp"

namespace anneal {

// A key of a run's config and its value as the config file spells it.
using RunSetting = std::pair<std::string, std::string>;

// What is known of a run besides its metrics.
struct RunSource {
  std::string folder;                // as the user named it; for messages and to tell runs apart
  std::string name;                  // "": the folder's
  std::vector<RunSetting> settings;  // every key; empty: unknown
  std::vector<std::string> notes;    // sentences that a reader should see: what is missing, and why
};

// A run as its metrics tell it. Steps, evaluations and checkpoints come by ascending step, each
// step once: what a resumed run did again replaces what it did before.
struct RunRecord {
  RunSource source;
  std::string label;               // what reports call it; see label_runs
  std::vector<StartEvent> starts;  // one for each process
  std::vector<StepEvent> steps;    // those that were logged
  std::vector<double> seconds;     // beside `steps`: training time up to there
  std::vector<EvalEvent> evals;
  std::vector<CheckpointEvent> checkpoints;
  std::vector<AlertEvent> alerts;
  std::vector<EndEvent> ends;
  bool ended = false;  // the last process wrote its end

  // The value of a setting, or "" if it is not known.
  std::string_view setting(std::string_view key) const;
  // Tokens seen and seconds of training after so many steps: those of the last logged step up to
  // there, 0 before the first.
  double tokens_at(int64_t step) const;
  double seconds_at(int64_t step) const;
};

// The seconds of training are the steps' times added up, without evaluation, sampling and saving; a
// step stands for those before it that were not logged.
RunRecord make_run_record(RunSource source, const std::vector<MetricsEvent>& events);

// The same from a metrics file. Throws UsageError naming the file if it cannot be read or holds no
// event.
RunRecord read_run(RunSource source, const std::filesystem::path& metrics);

// Gives each run a label of its own: its name; where several have that name, the name of its
// folder; where that is not enough, the folder's path; and a number where one folder comes twice.
void label_runs(std::vector<RunRecord>& runs);

}  // namespace anneal
