#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/cli/command_input.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/schema.hpp"
#include "anneal/monitor/line_chart.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/train/optimizer_bench.hpp"
#include "anneal/train/signals.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

struct OptimArguments {
  std::string config;
  std::vector<std::string> sets;
  std::vector<std::string> optimizers;
  std::vector<std::string> schedules;
  double target = 0;
  bool no_tuning = false;
  bool json = false;
  std::string svg;
};

void print_runs(const std::vector<OptimizerRun>& runs, double target, bool schedules) {
  std::printf("%-14s %9s %10s %10s %9s %9s %8s %12s\n", schedules ? "schedule" : "optimizer", "lr",
              "loss", "to target", "ms/step", "update ms", "GB/s", "state B/par");
  for (const auto& run : runs) {
    auto steps = run.steps_to(target);
    std::printf("%-14s %9.2g ", (schedules ? run.schedule.kind : run.optimizer.kind).c_str(),
                run.optimizer.lr);
    if (run.diverged)
      std::printf("%10s ", "diverged");
    else
      std::printf("%10.4f ", run.final_loss());
    std::printf("%10s %9.2f %9.3f %8.1f %12.2f\n", steps ? std::to_string(*steps).c_str() : "never",
                run.step_seconds * 1e3, run.update_seconds * 1e3,
                run.update_bytes / run.update_seconds * 1e-9,
                static_cast<double>(run.state_bytes) / static_cast<double>(run.parameters));
  }
}

Json to_json(const std::vector<OptimizerRun>& runs, double target) {
  Json list = Json::array();
  for (const auto& run : runs) {
    auto steps = run.steps_to(target);
    list.push_back({{"optimizer", run.optimizer.kind},
                    {"schedule", run.schedule.kind},
                    {"lr", run.optimizer.lr},
                    {"diverged", run.diverged},
                    {"final_loss", run.diverged ? Json(nullptr) : Json(run.final_loss())},
                    {"steps_to_target", steps ? Json(*steps) : Json(nullptr)},
                    {"step_seconds", run.step_seconds},
                    {"update_seconds", run.update_seconds},
                    {"update_bytes", run.update_bytes},
                    {"state_bytes", run.state_bytes},
                    {"parameters", run.parameters},
                    {"losses", run.losses}});
  }
  return list;
}

// Smoothed losses of every step, which start high: on a logarithmic axis.
std::string drawing(const std::string& title, const std::vector<OptimizerRun>& runs,
                    bool schedules) {
  LineChart chart{.title = title,
                  .x = {.label = "step"},
                  .y = {.label = "training loss", .log = true},
                  .width = 760,
                  .height = 420};
  for (const auto& run : runs) {
    LineSeries line{.name = schedules ? run.schedule.kind
                                      : str(run.optimizer.kind, ", lr ", run.optimizer.lr)};
    for (size_t i = 0; i < run.losses.size(); ++i)
      line.points.push_back({static_cast<double>(i + 1), run.losses[i]});
    auto window = smoothing_window(static_cast<int64_t>(run.losses.size()));
    line.points = smoothed(line.points, static_cast<size_t>(window));
    chart.series.push_back(std::move(line));
  }
  return line_chart_svg(chart);
}

std::vector<std::string> choices_of(const char* key) {
  const auto& choices = find_key(key)->choices;
  return {choices.begin(), choices.end()};
}

// The schedule of this kind where the config's is of another.
ScheduleConfig schedule_of_kind(const RunConfig& config, const std::string& kind) {
  ScheduleConfig s = config.schedule;
  s.kind = kind;
  if (kind == "warm_restarts" && s.restart_period == 0) {
    int64_t unit = s.unit == "tokens" ? tokens_per_step(config) : 1;
    s.restart_period = std::max<int64_t>(1, (config.train.steps * unit - s.warmup_steps) / 4);
  }
  if (kind == "exponential" && s.min_lr == 0) s.min_lr = config.optimizer.lr / 100;
  return s;
}

ExitCode bench_optim(const OptimArguments& arguments) {
  LoadedConfig loaded = load_config(arguments.config, arguments.sets, DataRule::required);
  const RunConfig& config = loaded.config;
  if (config.train.steps < 20 || config.train.steps > Workload::most_steps)
    throw UsageError(str("[", loaded.at("train.steps"), "] a comparison needs from 20 to ",
                         Workload::most_steps, " steps, got ", config.train.steps,
                         " (for example --set train.steps=300)"));
  if (config.optimizer.lr == 0)
    throw UsageError(str("[", loaded.at("optimizer.lr"),
                         "] nothing is learned at a rate of 0 (set it to 1e-3 for example)"));
  if (arguments.target != 0 && !(arguments.target > 0 && std::isfinite(arguments.target)))
    throw UsageError(str("[--target] expected a loss above 0, got ", arguments.target));
  auto kinds = arguments.optimizers.empty() ? choices_of("optimizer.kind") : arguments.optimizers;
  auto schedules = arguments.schedules.empty() ? choices_of("schedule.kind") : arguments.schedules;
  for (const auto& kind : kinds) find_optimizer(kind);
  for (const auto& kind : schedules) {
    auto known = choices_of("schedule.kind");
    if (std::find(known.begin(), known.end(), kind) == known.end())
      throw UsageError(str("[--schedule] there is no schedule named \"", kind, "\""));
  }
  if (!arguments.svg.empty()) check_output_file(arguments.svg + "-optimizers.svg", "--svg");
  StopSignals signals;
  std::vector<OptimizerRun> by_optimizer, by_schedule;
  try {
    OptimizerBench bench(config, [](const std::string& line) { log_info(line); });
    for (const auto& kind : kinds) {
      OptimizerConfig o = kind == config.optimizer.kind ? config.optimizer : usual_config(kind);
      if (arguments.no_tuning) o.lr = config.optimizer.lr;
      by_optimizer.push_back(arguments.no_tuning ? bench.run(o, config.schedule)
                                                 : bench.tuned(o, config.schedule));
    }
    // Schedules with the config's optimizer, at the rate that was best for it.
    OptimizerConfig o = config.optimizer;
    for (const auto& run : by_optimizer)
      if (run.optimizer.kind == o.kind && !run.diverged) o = run.optimizer;
    for (const auto& kind : schedules) {
      ScheduleConfig s = schedule_of_kind(config, kind);
      s.min_lr *= o.lr / config.optimizer.lr;
      by_schedule.push_back(bench.run(o, s));
    }
  } catch (const UsageError& error) {
    throw UsageError(with_location(loaded, error.what()));
  }
  // Where none is given: what every run that learned anything has reached.
  double target = arguments.target;
  if (target == 0)
    for (const auto& run : by_optimizer)
      if (!run.diverged && run.final_loss() < run.losses.front())
        target = std::max(target, run.final_loss());
  if (!arguments.svg.empty()) {
    write_file_atomically(arguments.svg + "-optimizers.svg",
                          drawing("Optimizers", by_optimizer, false));
    write_file_atomically(
        arguments.svg + "-schedules.svg",
        drawing(config.optimizer.kind + " with each schedule", by_schedule, true));
    log_info(
        str("written: ", arguments.svg, "-optimizers.svg and ", arguments.svg, "-schedules.svg"));
  }
  if (arguments.json) {
    Json json = {{"name", config.name},
                 {"steps", config.train.steps},
                 {"target_loss", target},
                 {"optimizers", to_json(by_optimizer, target)},
                 {"schedules", to_json(by_schedule, target)}};
    std::cout << json.dump(2) << '\n';
    return ExitCode::ok;
  }
  std::printf(
      "%s, %s, %lld steps of %lld tokens; target loss %.4f, losses are means over %lld "
      "steps\n\n",
      config.name.c_str(), config.train.precision.c_str(),
      static_cast<long long>(config.train.steps), static_cast<long long>(tokens_per_step(config)),
      target, static_cast<long long>(smoothing_window(config.train.steps)));
  print_runs(by_optimizer, target, false);
  std::printf("\n%s with each schedule\n\n", config.optimizer.kind.c_str());
  print_runs(by_schedule, target, true);
  return ExitCode::ok;
}

}  // namespace

Command bench_optim_command() {
  return {.name = "bench optim",
          .summary = "Train one task with every optimizer and schedule, and compare",
          .example = "bench optim my.toml --set train.steps=300",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<OptimArguments>();
            a.positional("CONFIG", arguments->config,
                         "The config, a TOML file: model, data, batch, steps and schedule");
            a.option("--set", "KEY=VALUE", arguments->sets,
                     "Override a key of the config: section.key=value; may be repeated");
            a.option("--optimizer", "KIND", arguments->optimizers,
                     "Only this optimizer; may be repeated");
            a.option("--schedule", "KIND", arguments->schedules,
                     "Only this schedule; may be repeated");
            a.option("--target", "LOSS", arguments->target,
                     "Count the steps to this loss; otherwise to what every optimizer reaches");
            a.flag("--no-tuning", arguments->no_tuning,
                   "Give every optimizer the config's rate, instead of the best of several");
            a.option("--svg", "NAME", arguments->svg,
                     "Draw the losses to NAME-optimizers.svg and NAME-schedules.svg");
            a.flag("--json", arguments->json, "Print JSON, with every step's loss");
            return [arguments] { return bench_optim(*arguments); };
          }};
}

}  // namespace anneal
