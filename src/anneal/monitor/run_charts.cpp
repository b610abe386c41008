#include "anneal/monitor/run_charts.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "anneal/monitor/chart_scale.hpp"
#include "anneal/monitor/run_statistics.hpp"

namespace anneal {
namespace {

using ValueOf = std::function<double(const StepEvent&)>;
using PositionOf = std::function<double(const RunRecord&, int64_t step)>;

struct Horizontal {
  ChartAxis axis;
  PositionOf at;
};

const Horizontal over_steps = {
    {"step", AxisKind::number, false, true},
    [](const RunRecord&, int64_t step) { return static_cast<double>(step); }};
const Horizontal over_tokens = {
    {"tokens", AxisKind::number, false, true},
    [](const RunRecord& run, int64_t step) { return run.tokens_at(step); }};
const Horizontal over_time = {
    {"time in steps", AxisKind::seconds, false, true},
    [](const RunRecord& run, int64_t step) { return run.seconds_at(step); }};

std::vector<ChartPoint> points_of(const RunRecord& run, const Horizontal& horizontal,
                                  const ValueOf& value) {
  std::vector<ChartPoint> points;
  points.reserve(run.steps.size());
  for (const StepEvent& step : run.steps)
    points.push_back({horizontal.at(run, step.step), value(step)});
  return points;
}

// A fiftieth of the steps, so that every run's line is equally smooth; none in a short run.
size_t window_of(const RunRecord& run) { return std::max<size_t>(run.steps.size() / 50, 1); }

// Each run as a smoothed line, with the raw values behind it where they differ.
void add_steps(LineChart& chart, const std::vector<RunRecord>& runs, const Horizontal& horizontal,
               const ValueOf& value) {
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string colour(chart_colour(i));
    auto raw = points_of(runs[i], horizontal, value);
    const size_t window = window_of(runs[i]);
    if (window > 1) {
      chart.series.push_back({"", raw, colour});
      chart.series.back().faint = true;
    }
    chart.series.push_back({runs[i].label, smoothed(raw, window), colour});
  }
}

bool has_values(const LineChart& chart) {
  for (const LineSeries& series : chart.series)
    for (const ChartPoint& point : series.points)
      if (std::isfinite(point.y)) return true;
  return false;
}

// Values that span more than a few powers of ten need a logarithmic axis to be legible.
void choose_scale(LineChart& chart) {
  double low = INFINITY, high = 0;
  for (const LineSeries& series : chart.series)
    for (const ChartPoint& point : series.points) {
      if (!shows(chart.y, point.y)) continue;
      low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  chart.y.log = low > 0 && high / low > 30;
}

// How the runs begin, or one that diverges, would leave the rest no room: the axis ends a little
// above what is reached after the first fiftieth of the steps, and not far above the beginning.
std::optional<double> most_loss(const std::vector<RunRecord>& runs) {
  constexpr double above_start = 1.5, above_rest = 1.05;
  double start = 0, rest = 0;
  for (const RunRecord& run : runs) {
    if (run.steps.empty() || !std::isfinite(run.steps.front().loss)) continue;
    start = std::max(start, run.steps.front().loss);
    for (size_t i = run.steps.size() / 50; i < run.steps.size(); ++i)
      if (std::isfinite(run.steps[i].loss)) rest = std::max(rest, run.steps[i].loss);
  }
  if (!(start > 0) || !(rest > 0)) return {};
  return std::min(above_start * start, above_rest * rest);
}

// The same for norms of gradients: far above the upper quartile of the quietest run.
std::optional<double> most_norm(const std::vector<RunRecord>& runs) {
  constexpr double room = 100;
  std::optional<double> lowest;
  for (const RunRecord& run : runs) {
    std::vector<double> norms;
    for (const StepEvent& step : run.steps) norms.push_back(step.grad_norm);
    if (auto quartiles = quartiles_of(std::move(norms)); quartiles && quartiles->high > 0)
      lowest = std::min(lowest.value_or(INFINITY), quartiles->high);
  }
  return lowest ? std::optional(room * *lowest) : std::nullopt;
}

// Whether the highest rates of the runs are too far apart for a linear axis.
bool rates_far_apart(const std::vector<RunRecord>& runs) {
  double low = INFINITY, high = 0;
  for (const RunRecord& run : runs) {
    double peak = 0;
    for (const StepEvent& step : run.steps) peak = std::max(peak, step.lr);
    if (peak > 0) low = std::min(low, peak);
    high = std::max(high, peak);
  }
  return high > 20 * low;
}

// Drawn at once: the points of all charts together would be many.
void add_chart(ChartGroup& group, const LineChart& chart) {
  if (has_values(chart)) group.svgs.push_back(line_chart_svg(chart));
}

LineChart step_chart(const char* title, ChartAxis y, const std::vector<RunRecord>& runs,
                     const Horizontal& horizontal, const ValueOf& value) {
  LineChart chart{title, horizontal.axis, std::move(y), {}};
  add_steps(chart, runs, horizontal, value);
  return chart;
}

LineChart eval_chart(const char* title, const std::vector<RunRecord>& runs,
                     const Horizontal& horizontal) {
  LineChart chart{title, horizontal.axis, {"nats a token"}, {}};
  chart.y.most = most_loss(runs);
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].evals.empty()) continue;
    LineSeries series{runs[i].label, {}, std::string(chart_colour(i))};
    for (const EvalEvent& eval : runs[i].evals)
      series.points.push_back({horizontal.at(runs[i], eval.step), eval.loss});
    series.markers = series.points.size() <= 60;
    chart.series.push_back(std::move(series));
  }
  choose_scale(chart);
  return chart;
}

ChartGroup loss_charts(const std::vector<RunRecord>& runs) {
  ChartGroup group{"Loss",
                   "Pale: each step; solid: the mean over a fiftieth of the run. What is far above "
                   "the rest is cut off; where curves coincide, the last run's is seen. Time is "
                   "that of the steps alone, added up.",
                   {}};
  const auto loss = [](const StepEvent& e) { return e.loss; };
  const auto add = [&](const char* training, const char* validation, const Horizontal& horizontal) {
    LineChart chart = step_chart(training, {"nats a token"}, runs, horizontal, loss);
    chart.y.most = most_loss(runs);
    choose_scale(chart);
    add_chart(group, chart);
    add_chart(group, eval_chart(validation, runs, horizontal));
  };
  add("Training loss over steps", "Validation loss over steps", over_steps);
  add("Training loss over tokens", "Validation loss over tokens", over_tokens);
  add("Training loss over time", "Validation loss over time", over_time);
  return group;
}

ChartGroup optimization_charts(const std::vector<RunRecord>& runs) {
  ChartGroup group{"Optimization", "The gradient's norm is that before clipping.", {}};
  LineChart rate{"Learning rate", over_steps.axis, {"learning rate"}, {}};
  rate.y.from_zero = true;
  rate.y.log = rates_far_apart(runs);
  for (size_t i = 0; i < runs.size(); ++i)
    rate.series.push_back({runs[i].label,
                           points_of(runs[i], over_steps, [](const StepEvent& e) { return e.lr; }),
                           std::string(chart_colour(i))});
  add_chart(group, rate);
  LineChart norm = step_chart("Gradient norm", {"2-norm"}, runs, over_steps,
                              [](const StepEvent& e) { return e.grad_norm; });
  norm.y.most = most_norm(runs);
  choose_scale(norm);
  add_chart(group, norm);
  return group;
}

ChartGroup speed_charts(const std::vector<RunRecord>& runs) {
  ChartGroup group{"Speed",
                   "Utilisation: the model's matrix products against the rate that the run "
                   "measured at its start.",
                   {}};
  const ChartAxis rate{"tokens/s", AxisKind::number, false, true};
  add_chart(group, step_chart("Throughput", rate, runs, over_steps,
                              [](const StepEvent& e) { return e.tokens_per_second; }));
  const ChartAxis share{"of the matrix rate", AxisKind::share, false, true};
  add_chart(group, step_chart("Utilisation", share, runs, over_steps,
                              [](const StepEvent& e) { return e.mfu.value_or(NAN); }));
  for (const bool wait : {false, true}) {
    LineChart chart = step_chart(
        wait ? "… of which waiting for data" : "Time of a step",
        {"time", AxisKind::seconds, false, true}, runs, over_steps,
        [wait](const StepEvent& e) { return wait ? e.data_wait_seconds : e.step_seconds; });
    choose_scale(chart);
    add_chart(group, chart);
  }
  return group;
}

ChartGroup memory_charts(const std::vector<RunRecord>& runs) {
  ChartGroup group{"Memory",
                   "Left: resident memory, which counts mapped files too. Right, what the plan "
                   "promises: the line is baseline and plan together, the dot at the run's end the "
                   "peak of anonymous memory, which should lie on it.",
                   {}};
  const ChartAxis bytes{"memory", AxisKind::bytes, false, true};
  LineChart resident{"Resident memory", over_steps.axis, bytes, {}};
  LineChart plan{"Planned and measured", over_steps.axis, bytes, {}};
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunRecord& run = runs[i];
    const std::string colour(chart_colour(i));
    const auto rss = [](const StepEvent& e) {
      return e.rss_bytes > 0 ? static_cast<double>(e.rss_bytes) : NAN;
    };
    resident.series.push_back({run.label, points_of(run, over_steps, rss), colour});
    LineSeries planned{run.label, {}, colour}, peak{"", {}, colour};
    planned.dashed = true;
    peak.markers = true;
    for (size_t p = 0; p < run.starts.size(); ++p) {
      const StartEvent& start = run.starts[p];
      const int64_t last = p + 1 < run.starts.size() ? run.starts[p + 1].step
                           : run.steps.empty()       ? start.step
                                                     : std::max(run.steps.back().step, start.step);
      const auto total = static_cast<double>(start.baseline_bytes + start.planned_bytes);
      if (start.planned_bytes <= 0) continue;
      planned.points.push_back({static_cast<double>(start.step), total});
      planned.points.push_back({static_cast<double>(last), total});
    }
    for (const EndEvent& end : run.ends)
      if (end.peak_anon_bytes > 0)
        peak.points.push_back(
            {static_cast<double>(end.step), static_cast<double>(end.peak_anon_bytes)});
    // Dots of several processes are no curve.
    plan.series.push_back(std::move(planned));
    for (const ChartPoint& point : peak.points) {
      plan.series.push_back(peak);
      plan.series.back().points = {point};
    }
  }
  add_chart(group, resident);
  add_chart(group, plan);
  return group;
}

}  // namespace

std::vector<ChartGroup> run_charts(const std::vector<RunRecord>& runs) {
  std::vector<ChartGroup> groups;
  for (ChartGroup& group : std::vector<ChartGroup>{loss_charts(runs), optimization_charts(runs),
                                                   speed_charts(runs), memory_charts(runs)})
    if (!group.svgs.empty()) groups.push_back(std::move(group));
  return groups;
}

}  // namespace anneal
