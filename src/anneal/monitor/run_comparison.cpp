#include "anneal/monitor/run_comparison.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

constexpr double speed_floor = 0.02;  // smaller differences of speed do not show
constexpr size_t fewest_steps = 5;    // to compare the speed of
constexpr double loss_floor = 0.005;  // what a change of seed alone commonly makes, relative
constexpr double unequal_text_floor = 0.02;
constexpr double same_place = 0.01;  // relative difference of tokens that counts as none
constexpr double memory_floor = 0.02;

// Settings that decide what is written and when, and neither what a step computes nor its time.
constexpr std::array<std::string_view, 7> bookkeeping = {"name",
                                                         "monitor.log_every",
                                                         "checkpoint.every",
                                                         "checkpoint.keep",
                                                         "train.sample_every",
                                                         "train.sample_prompt",
                                                         "train.eval_every"};

// Where the settings of a run are not known, nothing is said to differ.
bool differs(const RunRecord& a, const RunRecord& b, std::string_view key) {
  return !a.source.settings.empty() && !b.source.settings.empty() &&
         a.setting(key) != b.setting(key);
}

std::vector<std::string> differing_keys(const RunRecord& a, const RunRecord& b) {
  std::vector<std::string> keys;
  const auto add = [&](const RunRecord& run) {
    for (const auto& [key, value] : run.source.settings)
      if (differs(a, b, key) && std::find(keys.begin(), keys.end(), key) == keys.end() &&
          std::find(bookkeeping.begin(), bookkeeping.end(), key) == bookkeeping.end())
        keys.push_back(key);
  };
  add(a);
  add(b);
  return keys;
}

bool same_tokenizer(const RunRecord& a, const RunRecord& b) {
  const bool trained = a.setting("data.tokenizer").find("bpe:") != std::string_view::npos;
  return !differs(a, b, "data.tokenizer") && !differs(a, b, "model.vocab_size") &&
         !(trained && differs(a, b, "data.train"));
}

// Why evaluations of the two read different documents; "" if they read the same.
std::string different_validation(const RunRecord& a, const RunRecord& b) {
  if (differs(a, b, "data.validation")) return "data.validation differs";
  const bool files = a.setting("data.validation").find('[') != std::string_view::npos;
  if (!files && differs(a, b, "data.train")) return "data.train differs";
  if (!files && differs(a, b, "train.seed"))
    return "train.seed differs, which picks the documents held out";
  return {};
}

// How a run is measured, so that the number means the same in both.
enum class Measure { none, validation, bits, training };

Measure choose_measure(const RunRecord& a, const RunRecord& b, RunComparison& c) {
  const bool evaluated = !a.evals.empty() && !b.evals.empty();
  if (evaluated) {
    if (auto why = different_validation(a, b); !why.empty()) {
      c.measure = "validation loss";
      c.incomparable = str("their validation losses are of different text (", why, ")");
      return Measure::none;
    }
    for (const char* key : {"train.eval_batches", "train.batch", "model.context"})
      if (c.caveat.empty() && differs(a, b, key))
        c.caveat = str("their evaluations may read unequal amounts of text (", key,
                       " differs), so only differences of 2 % and more count");
    if (same_tokenizer(a, b)) {
      c.measure = "validation loss";
      return Measure::validation;
    }
    c.measure = "bits per byte";
    if (a.evals.back().bits_per_byte && b.evals.back().bits_per_byte) return Measure::bits;
    c.incomparable = "their tokenizers differ, and there are no bits per byte of both";
    return Measure::none;
  }
  c.measure = "training loss";
  if (a.steps.empty() || b.steps.empty())
    c.incomparable = "there is no loss of both";
  else if (differs(a, b, "train.label_smoothing") || differs(a, b, "train.z_loss"))
    c.incomparable = "their training losses are of different objectives";
  else if (!same_tokenizer(a, b) || differs(a, b, "data.train"))
    c.incomparable = "they were trained on different text or with different tokenizers";
  return c.incomparable.empty() ? Measure::training : Measure::none;
}

std::optional<double> value_at(const RunRecord& run, Measure measure, RunAxis axis, double at) {
  std::optional<double> value = measure == Measure::training
                                    ? train_loss_at(run, axis, at)
                                    : eval_at(run, axis, at, measure == Measure::bits);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

// The last place where there is a value of the measure.
double end_of(const RunRecord& run, Measure measure, RunAxis axis) {
  const int64_t step = measure == Measure::training ? run.steps.back().step : run.evals.back().step;
  return axis == RunAxis::tokens ? run.tokens_at(step) : run.seconds_at(step);
}

double noise_of(const RunSummary& s, Measure measure) {
  if (measure == Measure::training) return s.train_loss_error.value_or(0);
  const double noise = s.eval_noise.value_or(0);
  return measure == Measure::bits && s.final_eval->loss > 0
             ? noise * s.final_eval->bits_per_byte.value_or(0) / s.final_eval->loss
             : noise;
}

void compare_losses(const RunRecord& a, const RunRecord& b, const RunSummary& sa,
                    const RunSummary& sb, RunComparison& c) {
  const Measure measure = choose_measure(a, b, c);
  if (measure == Measure::none) return;
  const double end_a = end_of(a, measure, RunAxis::tokens);
  const double end_b = end_of(b, measure, RunAxis::tokens);
  if (std::abs(end_a - end_b) > same_place * std::max(end_a, end_b)) {
    c.at_tokens = std::min(end_a, end_b);
    c.value = value_at(a, measure, RunAxis::tokens, *c.at_tokens);
    c.against_value = value_at(b, measure, RunAxis::tokens, *c.at_tokens);
  } else {
    c.value = value_at(a, measure, RunAxis::tokens, end_a);
    c.against_value = value_at(b, measure, RunAxis::tokens, end_b);
  }
  if (!c.value || !c.against_value) {
    c.incomparable = str("there is no ", c.measure, " of both after equally many tokens");
    c.value = c.against_value = {};
    return;
  }
  c.loss_threshold =
      std::max((c.caveat.empty() ? loss_floor : unequal_text_floor) * *c.against_value,
               2 * std::hypot(noise_of(sa, measure), noise_of(sb, measure)));
  const double after =
      std::min(end_of(a, measure, RunAxis::seconds), end_of(b, measure, RunAxis::seconds));
  c.value_then = value_at(a, measure, RunAxis::seconds, after);
  c.against_value_then = value_at(b, measure, RunAxis::seconds, after);
  if (c.value_then && c.against_value_then) c.after_seconds = after;
}

// Runs that differ by chance only.
bool repeats(const RunRecord& a, const RunRecord& b) {
  if (a.source.settings.empty() || b.source.settings.empty()) return false;
  const auto keys = differing_keys(a, b);
  return keys.empty() || (keys.size() == 1 && keys[0] == "train.seed");
}

// What chance makes of this measure in these runs: the largest difference between repeats.
double loss_spread(const std::vector<RunRecord>& runs, const std::vector<RunSummary>& summaries,
                   const std::string& measure) {
  double spread = 0;
  for (size_t i = 0; i < runs.size(); ++i)
    for (size_t j = i + 1; j < runs.size(); ++j) {
      if (!repeats(runs[i], runs[j])) continue;
      RunComparison c;
      compare_losses(runs[i], runs[j], summaries[i], summaries[j], c);
      if (c.value && c.measure == measure)
        spread = std::max(spread, std::abs(*c.value - *c.against_value));
    }
  return spread;
}

// The faster over the slower, less 1.
double gap(double a, double b) { return std::max(a, b) / std::min(a, b) - 1; }

// What chance makes of the speed: the largest gap between repeats, and how far the throughput of
// the two compared moves within the run.
double speed_spread(const std::vector<RunRecord>& runs, const std::vector<RunSummary>& summaries,
                    size_t run, size_t against) {
  double spread = speed_floor;
  for (size_t i : {run, against})
    if (summaries[i].throughput_change_shows)
      spread = std::max(spread, gap(1 + *summaries[i].throughput_change, 1));
  for (size_t i = 0; i < runs.size(); ++i)
    for (size_t j = i + 1; j < runs.size(); ++j) {
      const auto &a = summaries[i].tokens_per_second, &b = summaries[j].tokens_per_second;
      if (a && b && repeats(runs[i], runs[j])) spread = std::max(spread, gap(a->median, b->median));
    }
  return spread;
}

bool outside(double value, const Quartiles& quartiles) {
  return value < quartiles.low || value > quartiles.high;
}

void compare_speed(const RunSummary& a, const RunSummary& b, RunComparison& c) {
  if (!a.tokens_per_second || !b.tokens_per_second) return;
  const Quartiles &qa = *a.tokens_per_second, &qb = *b.tokens_per_second;
  if (std::min(qa.count, qb.count) < fewest_steps) return;
  c.speed = qa.median / qb.median;
  c.speed_shows = gap(qa.median, qb.median) > c.speed_threshold && outside(qa.median, qb) &&
                  outside(qb.median, qa);
  c.same_step = a.tokens_per_step && b.tokens_per_step &&
                std::abs(*a.tokens_per_step / *b.tokens_per_step - 1) < same_place;
}

void compare_machines(const RunRecord& a, const RunRecord& b, RunComparison& c) {
  if (a.starts.empty() || b.starts.empty()) return;
  const StartEvent &sa = a.starts.back(), &sb = b.starts.back();
  if (sa.host != sb.host) c.machine.push_back("host");
  if (sa.device != sb.device) c.machine.push_back("device");
  if (sa.instruction_set != sb.instruction_set) c.machine.push_back("instruction set");
  if (sa.threads != sb.threads && !differs(a, b, "parallel.threads"))
    c.machine.push_back("threads");
}

}  // namespace

std::vector<DifferingSetting> differing_settings(const std::vector<RunRecord>& runs) {
  std::vector<DifferingSetting> result;
  std::vector<std::string> keys;
  for (const RunRecord& run : runs)
    for (const auto& setting : run.source.settings)
      if (std::find(keys.begin(), keys.end(), setting.first) == keys.end())
        keys.push_back(setting.first);
  for (const std::string& key : keys) {
    DifferingSetting row{key, {}};
    for (const RunRecord& run : runs) row.values.emplace_back(run.setting(key));
    if (std::adjacent_find(row.values.begin(), row.values.end(), std::not_equal_to<>()) !=
        row.values.end())
      result.push_back(std::move(row));
  }
  return result;
}

RunComparison compare_runs(const std::vector<RunRecord>& runs,
                           const std::vector<RunSummary>& summaries, size_t run, size_t against) {
  const RunRecord &a = runs[run], &b = runs[against];
  const RunSummary &sa = summaries[run], &sb = summaries[against];
  RunComparison c;
  c.run = run;
  c.against = against;
  c.settings = differing_keys(a, b);
  c.settings_known = !a.source.settings.empty() && !b.source.settings.empty();
  compare_machines(a, b, c);
  c.speed_threshold = speed_spread(runs, summaries, run, against);
  compare_speed(sa, sb, c);
  compare_losses(a, b, sa, sb, c);
  if (c.value) {
    c.loss_threshold = std::max(c.loss_threshold, loss_spread(runs, summaries, c.measure));
    c.loss_shows = std::abs(*c.value - *c.against_value) > c.loss_threshold;
  }
  if (sa.peak_anon_bytes && sb.peak_anon_bytes) {
    c.memory = static_cast<double>(*sa.peak_anon_bytes) / static_cast<double>(*sb.peak_anon_bytes);
    c.memory_shows = std::abs(*c.memory - 1) > memory_floor;
  }
  return c;
}

}  // namespace anneal
