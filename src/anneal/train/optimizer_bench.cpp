#include "anneal/train/optimizer_bench.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "anneal/device/cpu/median.hpp"
#include "anneal/optim/optimizer.hpp"

namespace anneal {
namespace {

// A loss from which there is no way back; a model that knows nothing has ln(vocabulary).
constexpr double hopeless = 1e3;
constexpr int most_rates = 9;

double bytes_of_update(const Module& module) {
  const Program& program = module.programs.at("apply");
  double bytes = 0;
  for (NodeId n : program.order) bytes += cost_of(*program.node(n).op, program.call(n)).bytes;
  return bytes;
}

int64_t bytes_of_moments(const Module& module) {
  int64_t bytes = 0;
  for (const Persistent& p : module.persistents)
    if (p.kind == PersistentKind::moment) bytes += p.type.bytes();
  return bytes;
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string named(const OptimizerConfig& o, const ScheduleConfig& s) {
  return str(o.kind, ", lr ", o.lr, ", ", s.kind);
}

}  // namespace

int64_t smoothing_window(int64_t steps) { return std::max<int64_t>(1, steps / 20); }

double OptimizerRun::final_loss() const {
  if (diverged || losses.empty()) return std::numeric_limits<double>::infinity();
  auto n = static_cast<int64_t>(losses.size());
  return mean(std::span(losses).last(static_cast<size_t>(smoothing_window(n))));
}

std::optional<int64_t> OptimizerRun::steps_to(double target) const {
  if (diverged) return std::nullopt;
  auto window = static_cast<size_t>(smoothing_window(static_cast<int64_t>(losses.size())));
  for (size_t end = window; end <= losses.size(); ++end)
    if (mean(std::span(losses).subspan(end - window, window)) <= target)
      return static_cast<int64_t>(end);
  return std::nullopt;
}

OptimizerBench::OptimizerBench(RunConfig config, Log log)
    : config_(std::move(config)),
      log_(std::move(log)),
      data_(std::make_shared<WorkloadData>(config_, config_.train.steps)) {}

OptimizerRun OptimizerBench::run(const OptimizerConfig& optimizer, const ScheduleConfig& schedule) {
  RunConfig config = config_;
  config.optimizer = optimizer;
  config.schedule = schedule;
  Workload workload(config, target_, data_);
  const Module& module = workload.session().module();
  OptimizerRun result{.optimizer = optimizer,
                      .schedule = schedule,
                      .losses = {},
                      .state_bytes = bytes_of_moments(module),
                      .parameters = module.parameter_elements(),
                      .update_bytes = bytes_of_update(module)};
  std::vector<double> steps, updates;
  try {
    for (int64_t s = 0; s < config.train.steps; ++s) {
      StepTimes times = workload.step();
      result.losses.push_back(times.loss);
      steps.push_back(times.seconds());
      updates.push_back(times.update_seconds());
      if (times.loss > hopeless) throw DivergedError("the loss exploded");
    }
  } catch (const DivergedError&) {
    result.diverged = true;
  }
  if (!steps.empty()) {
    result.step_seconds = median(steps);
    result.update_seconds = median(updates);
  }
  if (log_)
    log_(str(named(optimizer, schedule), result.diverged ? ": diverged" : ": loss ",
             result.diverged ? "" : str(result.final_loss())));
  return result;
}

OptimizerRun OptimizerBench::tuned(OptimizerConfig optimizer, const ScheduleConfig& schedule) {
  double own = config_.optimizer.lr;
  double min_share = own > 0 ? schedule.min_lr / own : 0;
  auto at = [&](double lr) {
    ScheduleConfig scaled = schedule;
    scaled.min_lr = lr * min_share;
    optimizer.lr = lr;
    return run(optimizer, scaled);
  };
  const double factor = std::sqrt(10.0), start = optimizer.lr;
  OptimizerRun best = at(start);
  int rates = 1;
  for (double direction : {factor, 1 / factor}) {
    if (best.diverged && direction > 1) continue;
    bool moved = false;
    for (double lr = start * direction; rates < most_rates; lr *= direction) {
      ++rates;
      OptimizerRun next = at(lr);
      if (best.diverged && next.diverged) continue;
      if (!(next.final_loss() < best.final_loss())) break;
      best = std::move(next);
      moved = true;
    }
    // The other side of the start is worse, or the way here would not have led down.
    if (moved) break;
  }
  return best;
}

OptimizerConfig usual_config(const std::string& kind) {
  OptimizerConfig config = recommended(kind);
  config.lr = kind == "sgd" || kind == "lamb" ? 1e-2 : 1e-3;
  if (kind == "sgd") config.momentum = 0.9;
  if (kind == "sgd" || kind == "adam" || kind == "rmsprop") config.weight_decay = 0;
  return config;
}

}  // namespace anneal
