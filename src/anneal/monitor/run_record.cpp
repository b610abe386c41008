#include "anneal/monitor/run_record.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

// Appends to a list that ascends by step; what was there from this step on is replaced.
template <class Event>
void append(std::vector<Event>& events, const Event& event) {
  while (!events.empty() && events.back().step >= event.step) events.pop_back();
  events.push_back(event);
}

struct Collector {
  RunRecord& run;

  void operator()(const StartEvent& event) const {
    run.starts.push_back(event);
    run.ended = false;
  }
  void operator()(const StepEvent& event) const { append(run.steps, event); }
  void operator()(const EvalEvent& event) const { append(run.evals, event); }
  void operator()(const CheckpointEvent& event) const { append(run.checkpoints, event); }
  void operator()(const AlertEvent& event) const { run.alerts.push_back(event); }
  void operator()(const EndEvent& event) const {
    run.ends.push_back(event);
    run.ended = true;
  }
};

// Index behind the last logged step that is not after `step`.
size_t logged_until(const RunRecord& run, int64_t step) {
  auto after = std::upper_bound(run.steps.begin(), run.steps.end(), step,
                                [](int64_t s, const StepEvent& event) { return s < event.step; });
  return static_cast<size_t>(after - run.steps.begin());
}

std::string file_name_of(const std::string& folder) {
  std::filesystem::path path = std::filesystem::path(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

// Replaces the labels that several runs share.
template <class F>
void replace_shared(std::vector<RunRecord>& runs, F&& label_of) {
  std::map<std::string, int> count;
  for (const RunRecord& run : runs) ++count[run.label];
  for (RunRecord& run : runs)
    if (run.label.empty() || count[run.label] > 1) run.label = label_of(run);
}

}  // namespace

std::string_view RunRecord::setting(std::string_view key) const {
  for (const auto& [name, value] : source.settings)
    if (name == key) return value;
  return {};
}

double RunRecord::tokens_at(int64_t step) const {
  const size_t n = logged_until(*this, step);
  return n == 0 ? 0 : static_cast<double>(steps[n - 1].tokens);
}

double RunRecord::seconds_at(int64_t step) const {
  const size_t n = logged_until(*this, step);
  return n == 0 ? 0 : seconds[n - 1];
}

RunRecord make_run_record(RunSource source, const std::vector<MetricsEvent>& events) {
  RunRecord run;
  run.source = std::move(source);
  for (const MetricsEvent& event : events) std::visit(Collector{run}, event);
  int64_t before = run.starts.empty() ? 0 : run.starts.front().step;
  double total = 0;
  for (const StepEvent& step : run.steps) {
    const double took = std::isfinite(step.step_seconds) ? std::max(step.step_seconds, 0.0) : 0;
    total += took * static_cast<double>(std::max<int64_t>(step.step - before, 1));
    run.seconds.push_back(total);
    before = step.step;
  }
  run.label = run.source.name.empty() ? file_name_of(run.source.folder) : run.source.name;
  return run;
}

RunRecord read_run(RunSource source, const std::filesystem::path& metrics) {
  if (!std::filesystem::is_regular_file(metrics))
    throw UsageError(str("[", metrics.string(),
                         "] there is no such file (name the folder of a run, ",
                         "which anneal train makes)"));
  std::vector<MetricsEvent> events;
  try {
    events = read_metrics(metrics);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  if (events.empty())
    throw UsageError(str("[", metrics.string(),
                         "] holds no event of a run, so there is nothing to ",
                         "report (has the run begun?)"));
  return make_run_record(std::move(source), events);
}

void label_runs(std::vector<RunRecord>& runs) {
  replace_shared(runs, [](const RunRecord& run) { return file_name_of(run.source.folder); });
  replace_shared(runs, [](const RunRecord& run) { return run.source.folder; });
  std::map<std::string, int> seen;
  for (RunRecord& run : runs)
    if (int n = ++seen[run.label]; n > 1) run.label = str(run.label, " (", n, ")");
}

}  // namespace anneal
