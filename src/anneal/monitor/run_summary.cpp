#include "anneal/monitor/run_summary.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace anneal {
namespace {

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

template <class F>
std::vector<double> column(const std::vector<StepEvent>& steps, F&& value_of) {
  std::vector<double> values;
  values.reserve(steps.size());
  for (const StepEvent& step : steps) values.push_back(value_of(step));
  return values;
}

std::optional<double> median_of(std::vector<double> values) {
  auto quartiles = quartiles_of(std::move(values));
  return quartiles ? std::optional(quartiles->median) : std::nullopt;
}

void summarise_progress(const RunRecord& run, RunSummary& s) {
  if (!run.starts.empty()) s.steps = run.starts.back().step;
  if (!run.ends.empty() && run.ended) s.steps = std::max(s.steps, run.ends.back().step);
  if (!run.steps.empty()) {
    s.steps = std::max(s.steps, run.steps.back().step);
    s.tokens = run.steps.back().tokens;
    s.training_seconds = run.seconds.back();
  }
  s.logged_steps = run.steps.size();
  if (auto steps = number_of(run.setting("train.steps")))
    s.intended_steps = static_cast<int64_t>(*steps);
  s.status = run.ended ? run.ends.back().status : "no end";
  for (const StepEvent& step : run.steps)
    if (!s.diverged_step && !std::isfinite(step.loss)) s.diverged_step = step.step;
  if (!s.diverged_step && s.status == "diverged") s.diverged_step = run.ends.back().step;

  if (run.ended && run.ends.size() == std::max<size_t>(run.starts.size(), 1)) {
    double wall = 0;
    for (const EndEvent& end : run.ends) wall += end.wall_seconds;
    s.wall_seconds = wall;
    // Steps that were not logged are only estimated.
    const bool all_logged = static_cast<int64_t>(run.steps.size()) ==
                            s.steps - (run.starts.empty() ? 0 : run.starts.front().step);
    if (wall > 0 && all_logged && !run.steps.empty())
      s.other_share = std::max(0.0, 1 - s.training_seconds / wall);
  }
}

void summarise_training_loss(const RunRecord& run, RunSummary& s) {
  const auto losses = column(run.steps, [](const StepEvent& e) { return e.loss; });
  const size_t window = loss_window(run);
  if (auto last = last_mean(losses, window)) {
    s.final_train_loss = last->mean;
    s.train_loss_error = last->error;
  }
  double sum = 0;
  size_t finite = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    // A window with a gap in it is no candidate.
    sum = std::isfinite(losses[i]) ? sum + losses[i] : 0;
    finite = std::isfinite(losses[i]) ? finite + 1 : 0;
    if (finite > window) {
      sum -= losses[i - window];
      --finite;
    }
    if (finite < window) continue;
    const double mean = sum / static_cast<double>(window);
    if (s.best_train_loss && !(mean < *s.best_train_loss)) continue;
    s.best_train_loss = mean;
    s.best_train_step = run.steps[i].step;
  }
  const auto accuracy = column(run.steps, [](const StepEvent& e) { return e.accuracy; });
  if (auto last = last_mean(accuracy, window)) s.final_train_accuracy = last->mean;
}

std::optional<double> eval_loss_at(const RunRecord& run, double step) {
  for (size_t i = 0; i < run.evals.size(); ++i) {
    const auto at = static_cast<double>(run.evals[i].step);
    if (at < step) continue;
    if (i == 0) return at == step ? std::optional(run.evals[0].loss) : std::nullopt;
    const auto before = static_cast<double>(run.evals[i - 1].step);
    return std::lerp(run.evals[i - 1].loss, run.evals[i].loss, (step - before) / (at - before));
  }
  return {};
}

void summarise_evaluations(const RunRecord& run, RunSummary& s) {
  std::vector<double> losses;
  for (const EvalEvent& eval : run.evals) {
    losses.push_back(eval.loss);
    if (std::isfinite(eval.loss) && (!s.best_eval || eval.loss < s.best_eval->loss))
      s.best_eval = eval;
  }
  if (!run.evals.empty()) s.final_eval = run.evals.back();
  constexpr size_t latest = 10;  // the curve is smooth there
  if (losses.size() > latest) losses.erase(losses.begin(), losses.end() - latest);
  s.eval_noise = noise_about_curve(losses);
}

void summarise_last_fifth(const RunRecord& run, RunSummary& s) {
  constexpr int64_t fewest = 10;
  if (s.steps < fewest) return;
  const double start = 0.8 * static_cast<double>(s.steps);
  std::optional<double> from, to;
  if (s.final_eval) {
    // Evaluations have to reach the end, or there is nothing to say of it.
    if (static_cast<double>(s.final_eval->step) < 0.95 * static_cast<double>(s.steps)) return;
    from = eval_loss_at(run, start);
    to = s.final_eval->loss;
  } else {
    from = train_loss_at(run, RunAxis::tokens, run.tokens_at(static_cast<int64_t>(start)));
    to = s.final_train_loss;
  }
  if (from && to && *from > 0 && std::isfinite(*to)) s.last_fifth_change = *to / *from - 1;
}

void summarise_speed(const RunRecord& run, RunSummary& s) {
  s.step_seconds = quartiles_of(column(
      run.steps, [](const StepEvent& e) { return e.step_seconds > 0 ? e.step_seconds : NAN; }));
  const auto rates = column(run.steps, [](const StepEvent& e) {
    return e.tokens_per_second > 0 ? e.tokens_per_second : NAN;
  });
  s.tokens_per_second = quartiles_of(rates);
  s.tokens_per_step = median_of(column(run.steps, [](const StepEvent& e) {
    return std::round(e.tokens_per_second * e.step_seconds);
  }));
  constexpr size_t fewest = 20;
  if (const auto quarter = static_cast<std::ptrdiff_t>(rates.size() / 4); rates.size() >= fewest) {
    auto first = quartiles_of({rates.begin(), rates.begin() + quarter});
    auto last = quartiles_of({rates.end() - quarter, rates.end()});
    if (first && last) {
      s.throughput_change = last->median / first->median - 1;
      s.throughput_change_shows = last->median < first->low || last->median > first->high;
    }
  }
  s.mfu = median_of(column(run.steps, [](const StepEvent& e) { return e.mfu.value_or(NAN); }));
  s.cpu_percent = median_of(column(run.steps, [](const StepEvent& e) { return e.cpu_percent; }));
  double wait = 0, all = 0;
  for (const StepEvent& e : run.steps)
    if (std::isfinite(e.data_wait_seconds) && std::isfinite(e.step_seconds)) {
      wait += e.data_wait_seconds;
      all += e.step_seconds;
    }
  if (all > 0) s.data_wait_share = wait / all;
}

void summarise_optimization(const RunRecord& run, RunSummary& s) {
  if (run.steps.empty()) return;
  if (auto clip = number_of(run.setting("train.clip")); clip && *clip > 0) {
    size_t clipped = 0, all = 0;
    for (size_t i = run.steps.size() / 2; i < run.steps.size(); ++i, ++all)
      clipped += run.steps[i].grad_norm > *clip;
    s.clipped_share = static_cast<double>(clipped) / static_cast<double>(all);
  }
  const double last = run.steps.back().lr;
  s.final_lr = last;
  size_t since = run.steps.size() - 1;
  while (since > 0 && run.steps[since - 1].lr == last) --since;
  double peak = 0;
  for (const StepEvent& step : run.steps) peak = std::max(peak, step.lr);
  if (since > 0 && since + 1 < run.steps.size() && last < peak)
    s.constant_lr_step = run.steps[since].step;
}

void summarise_resources(const RunRecord& run, RunSummary& s) {
  if (!run.starts.empty() && run.starts.back().planned_bytes > 0) {
    s.planned_bytes = run.starts.back().planned_bytes;
    s.baseline_bytes = run.starts.back().baseline_bytes;
  }
  if (run.ended) {
    if (run.ends.back().peak_anon_bytes > 0) s.peak_anon_bytes = run.ends.back().peak_anon_bytes;
    if (run.ends.back().peak_rss_bytes > 0) s.peak_rss_bytes = run.ends.back().peak_rss_bytes;
  }
  if (s.planned_bytes && s.peak_anon_bytes)
    s.memory_deviation =
        static_cast<double>(*s.peak_anon_bytes - *s.baseline_bytes - *s.planned_bytes) /
        static_cast<double>(*s.planned_bytes);
  s.checkpoints = run.checkpoints.size();
  if (!run.checkpoints.empty()) s.checkpoint_bytes = run.checkpoints.back().bytes;
  for (const CheckpointEvent& checkpoint : run.checkpoints)
    if (std::isfinite(checkpoint.stall_seconds)) s.stall_seconds += checkpoint.stall_seconds;
}

}  // namespace

size_t loss_window(const RunRecord& run) {
  return std::clamp<size_t>(run.steps.size() / 20, 1, 100);
}

std::optional<double> eval_at(const RunRecord& run, RunAxis axis, double position, bool bits) {
  std::optional<double> before, value_before;
  for (const EvalEvent& eval : run.evals) {
    const double at =
        axis == RunAxis::tokens ? run.tokens_at(eval.step) : run.seconds_at(eval.step);
    const double value = bits ? eval.bits_per_byte.value_or(NAN) : eval.loss;
    if (at == position) return value;
    if (at > position) {
      if (!before) return {};
      return std::lerp(*value_before, value, (position - *before) / (at - *before));
    }
    before = at;
    value_before = value;
  }
  return {};
}

std::optional<double> train_loss_at(const RunRecord& run, RunAxis axis, double position) {
  std::vector<double> losses;
  for (size_t i = 0; i < run.steps.size(); ++i) {
    const double at =
        axis == RunAxis::tokens ? static_cast<double>(run.steps[i].tokens) : run.seconds[i];
    if (at <= position) losses.push_back(run.steps[i].loss);
  }
  auto mean = last_mean(losses, loss_window(run));
  return mean ? std::optional(mean->mean) : std::nullopt;
}

RunSummary summarise_run(const RunRecord& run) {
  RunSummary summary;
  summarise_progress(run, summary);
  summarise_training_loss(run, summary);
  summarise_evaluations(run, summary);
  summarise_last_fifth(run, summary);
  summarise_speed(run, summary);
  summarise_optimization(run, summary);
  summarise_resources(run, summary);
  return summary;
}

}  // namespace anneal
