#include "anneal/cli/schedule_report.hpp"

#include <algorithm>
#include <cstdio>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command_input.hpp"
#include "anneal/monitor/line_chart.hpp"
#include "anneal/train/engine.hpp"

namespace anneal {
namespace {

// Steps (from 0) worth a line: the ends, some in between, and where the rate turns.
std::vector<int64_t> steps_to_print(const RunConfig& config) {
  constexpr int64_t lines = 20;
  int64_t steps = config.train.steps;
  std::vector<int64_t> list = {0, steps - 1};
  for (int64_t i = 1; i < lines; ++i) list.push_back(i * (steps - 1) / lines);
  // A warm-up, a restart: more extremes than this are a curve, not a list.
  constexpr size_t most_turns = 40;
  constexpr int64_t most_steps = 2'000'000;  // to look at one by one
  std::vector<int64_t> turns;
  double before = learning_rate(config, 0), now = steps > 1 ? learning_rate(config, 1) : before;
  for (int64_t s = 1; s + 1 < steps && steps <= most_steps && turns.size() <= most_turns; ++s) {
    double next = learning_rate(config, s + 1);
    if ((now >= before && next < now) || (now <= before && next > now)) turns.push_back(s);
    before = now, now = next;
  }
  if (turns.size() <= most_turns) list.insert(list.end(), turns.begin(), turns.end());
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

std::string drawing(const RunConfig& config) {
  constexpr int64_t most_points = 20000;
  LineChart chart{.title = str("Learning rate: ", config.schedule.kind),
                  .x = {.label = "step"},
                  .y = {.label = "learning rate", .from_zero = true},
                  .width = 720,
                  .height = 360};
  LineSeries line;
  int64_t stride = std::max<int64_t>(1, config.train.steps / most_points);
  for (int64_t s = 0; s < config.train.steps; s += stride)
    line.points.push_back({static_cast<double>(s + 1), learning_rate(config, s)});
  chart.series.push_back(std::move(line));
  return line_chart_svg(chart);
}

}  // namespace

void print_schedule(const LoadedConfig& loaded, const std::string& svg) {
  const RunConfig& config = loaded.config;
  if (config.train.steps == 0)
    throw UsageError(str("[", loaded.at("train.steps"),
                         "] a run of no steps has no learning rates (set train.steps)"));
  if (!svg.empty()) check_output_file(svg, "--svg");
  std::printf("%12s %16s %14s\n", "step", "tokens", "learning rate");
  for (int64_t s : steps_to_print(config))
    std::printf("%12lld %16lld %14.6g\n", static_cast<long long>(s + 1),
                static_cast<long long>((s + 1) * tokens_per_step(config)),
                learning_rate(config, s));
  if (svg.empty()) return;
  write_file_atomically(svg, drawing(config));
  log_info("written: " + svg);
}

}  // namespace anneal
