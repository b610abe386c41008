#include <algorithm>
#include <cmath>
#include <limits>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/experiment.hpp"
#include "anneal/cli/schema.hpp"
#include "anneal/device/cpu/matmul.hpp"
#include "anneal/monitor/report_page.hpp"
#include "anneal/monitor/report_text.hpp"
#include "anneal/monitor/run_summary.hpp"
#include "anneal/optim/optimizer.hpp"
#include "anneal/train/fusion_bench.hpp"
#include "anneal/train/optimizer_bench.hpp"
#include "anneal/train/signals.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

struct ReproArguments {
  std::string config;
  std::vector<std::string> sets;
  std::string out;
  int64_t seeds = 1;
  int64_t elements = int64_t{1} << 25;
};

Experiment experiment_of(const ReproArguments& arguments, const char* name) {
  fs::path out =
      arguments.out.empty() ? fs::path("runs") / str("repro-", name) : fs::path(arguments.out);
  return {arguments.config, arguments.sets, out};
}

void write_report(const Experiment& experiment, const ReportPage& page) {
  write_file_atomically(experiment.out / "report.html", report_html(page));
  write_file_atomically(experiment.out / "report.json", report_json(page) + "\n");
  log_info(str("written: ", (experiment.out / "report.html").string(), " and report.json"));
}

// The loss that a run is judged by.
std::optional<double> quality(const RunSummary& run) {
  if (run.diverged()) return std::nullopt;
  return run.final_eval ? std::optional(run.final_eval->loss) : run.final_train_loss;
}

// ---- mixed-precision

// Each run beside that of its seed in the first precision.
struct Pair {
  RunSummary base, other;
  std::optional<double> loss_change() const {
    auto a = quality(base), b = quality(other);
    return a && b ? std::optional(*b / *a - 1) : std::nullopt;
  }
  std::optional<double> time_ratio() const {
    // Fewer say nothing: the first steps are no others' like.
    constexpr int64_t enough = 20;
    if (!base.step_seconds || !other.step_seconds || base.steps < enough || other.steps < enough)
      return std::nullopt;
    return other.step_seconds->median / base.step_seconds->median;
  }
  // Whether the middle halves of their steps' times lie apart.
  bool time_shows() const {
    return time_ratio() && (base.step_seconds->high < other.step_seconds->low ||
                            other.step_seconds->high < base.step_seconds->low);
  }
  std::optional<double> memory_ratio() const {
    if (!base.planned_bytes || !other.planned_bytes) return std::nullopt;
    return static_cast<double>(*other.planned_bytes) / static_cast<double>(*base.planned_bytes);
  }
};

// The median of what all pairs have; nothing if one has none.
std::optional<double> median_of(const std::vector<Pair>& pairs,
                                std::optional<double> (Pair::*value)() const) {
  std::vector<double> values;
  for (const Pair& pair : pairs) {
    auto x = (pair.*value)();
    if (!x) return std::nullopt;
    values.push_back(*x);
  }
  auto quartiles = quartiles_of(std::move(values));
  return quartiles ? std::optional(quartiles->median) : std::nullopt;
}

// One precision against FP32 over all seeds, as a row and as a sentence.
struct PrecisionResult {
  std::vector<std::string> row;
  std::string sentence;
};

PrecisionResult compare_precision(const std::string& precision, const std::vector<Pair>& pairs) {
  constexpr double tolerance = 0.005, matters = 0.03;
  auto loss = median_of(pairs, &Pair::loss_change), time = median_of(pairs, &Pair::time_ratio),
       memory = median_of(pairs, &Pair::memory_ratio);
  double worst = 0;
  bool time_shows = true, same_sign = true;
  for (const Pair& pair : pairs) {
    worst = std::max(worst, std::abs(pair.loss_change().value_or(0)));
    time_shows = time_shows && pair.time_shows();
    same_sign = same_sign && time && (pair.time_ratio().value_or(1) < 1) == (*time < 1);
  }
  time_shows = time_shows && same_sign && std::abs(*time - 1) > matters;
  PrecisionResult result;
  result.row = {precision,
                str(pairs.size()),
                loss ? change_text(*loss) : "-",
                loss ? percent_text(worst) : "-",
                time ? ratio_text(*time) : "-",
                memory ? ratio_text(*memory) : "-"};
  std::string text = str(precision, ": ");
  if (!loss)
    text += "a run has no final loss, so it is not known whether it is as good";
  else
    text += str("the final loss is within ", percent_text(worst), " of FP32's",
                pairs.size() > 1 ? " for every seed" : "",
                worst <= tolerance ? "" : ", more than the 0.5 % that rounding should cost");
  if (time_shows)
    text += str("; a step takes ", ratio_text(*time), " the time");
  else
    text += "; no difference in speed shows";
  if (memory) text += str("; the plan is ", ratio_text(*memory), " the bytes");
  bool good = loss && worst <= tolerance;
  bool fast = time_shows && *time < 1, small = memory && *memory < 1 - matters;
  text += !good           ? ". It does not pay here."
          : fast && small ? ". It pays here, in time and memory."
          : fast          ? ". It pays here, in time."
          : small         ? ". It pays here, in memory."
                          : ". It saves neither time nor memory here.";
  result.sentence = std::move(text);
  return result;
}

ExitCode mixed_precision(const ReproArguments& arguments) {
  Experiment experiment = experiment_of(arguments, "mixed-precision");
  int64_t first = load_config(arguments.config, arguments.sets).config.train.seed;
  if (first > std::numeric_limits<int64_t>::max() - arguments.seeds)
    throw UsageError(str("[--seeds] ", arguments.seeds, " seeds from ", first,
                         " on are more than can be counted (lower train.seed)"));
  const std::vector<std::string> precisions = {"fp32", "bf16", "fp16"};
  std::vector<Variant> variants;
  for (int64_t seed = first; seed < first + arguments.seeds; ++seed)
    for (const auto& precision : precisions)
      variants.push_back({arguments.seeds == 1 ? precision : str(precision, "-seed", seed),
                          {str("train.precision=", precision), str("train.seed=", seed)}});
  ReportPage page{.title = "Mixed precision: bf16 and fp16 against FP32"};
  page.runs = run_variants(experiment, variants);
  ReportSection section{.title = "Precisions over all seeds"};
  ReportTable table{.head = {"precision", "seeds", "final loss against FP32", "largest difference",
                             "time of a step", "planned memory"}};
  for (size_t p = 1; p < precisions.size(); ++p) {
    std::vector<Pair> pairs;
    for (size_t i = 0; i < page.runs.size(); i += precisions.size())
      pairs.push_back({summarise_run(page.runs[i]), summarise_run(page.runs[i + p])});
    auto result = compare_precision(precisions[p], pairs);
    table.rows.push_back(result.row);
    page.conclusion += str(page.conclusion.empty() ? "" : " ", result.sentence);
  }
  section.text = str(cpu_matmul_has_native_bf16()
                         ? "This CPU has bf16 products."
                         : "This CPU has no 16-bit products: they run in FP32 on 16-bit "
                           "values, which saves memory but no arithmetic.");
  section.table = std::move(table);
  page.introduction =
      "The same model, data and order of the data, trained in each precision; each run is compared "
      "with the FP32 run of its seed. Differences are medians over the seeds.";
  page.sections.push_back(std::move(section));
  write_report(experiment, page);
  return ExitCode::ok;
}

// ---- optimizers

// Every key of [optimizer], so that none of the config's own kind is left to another.
std::vector<std::string> sets_of(const OptimizerConfig& optimizer) {
  RunConfig config;
  config.optimizer = optimizer;
  std::vector<std::string> sets;
  for (const Key& key : config_keys())
    if (key.section == "optimizer") sets.push_back(str(key.full_name(), "=", key.value(config)));
  return sets;
}

// The same schedule in a part of its time.
void squeeze(ScheduleConfig& schedule, double part) {
  for (int64_t* length :
       {&schedule.warmup_steps, &schedule.horizon, &schedule.restart_period, &schedule.decay_steps})
    if (*length > 0)
      *length = std::max<int64_t>(1, std::llround(static_cast<double>(*length) * part));
  schedule.decay_rate /= part;
}

ExitCode optimizers(const ReproArguments& arguments) {
  Experiment experiment = experiment_of(arguments, "optimizers");
  RunConfig config = load_config(arguments.config, arguments.sets).config;
  if (config.train.steps < 20)
    throw UsageError(str("[train.steps] an experiment needs 20 steps or more, got ",
                         config.train.steps, " (for example --set train.steps=300)"));
  // Rates are tuned on the first part of the run, each with the schedule squeezed into it.
  RunConfig tuning = config;
  tuning.train.steps = std::min(config.train.steps, std::max<int64_t>(50, config.train.steps / 5));
  squeeze(tuning.schedule, static_cast<double>(tuning.train.steps) /
                               static_cast<double>(std::max<int64_t>(1, config.train.steps)));
  std::vector<Variant> variants;
  ReportTable table{.head = {"optimizer", "learning rate", "bytes of state a parameter", "update",
                             "bandwidth of the update"}};
  // The others are compared with the config's own, so that comes first.
  std::vector<OptimizerConfig> configs = {config.optimizer};
  for (const Optimizer* optimizer : all_optimizers())
    if (optimizer->kind != config.optimizer.kind)
      configs.push_back(usual_config(std::string(optimizer->kind)));
  for (const OptimizerConfig& start : configs) variants.push_back({start.kind, sets_of(start)});
  check_variants(experiment, {});
  for (const Variant& variant : variants)
    load_config(experiment.config, all_sets(experiment, variant));
  variants.clear();
  OptimizerBench bench(tuning, [](const std::string& line) { log_info("tuning: " + line); });
  for (const OptimizerConfig& start : configs) {
    const std::string& kind = start.kind;
    OptimizerRun run = bench.tuned(start, tuning.schedule);
    variants.push_back({kind, sets_of(run.optimizer)});
    variants.back().sets.push_back(str("schedule.min_lr=", toml_number(run.schedule.min_lr)));
    table.rows.push_back(
        {kind, number_text(run.optimizer.lr),
         number_text(static_cast<double>(run.state_bytes) / static_cast<double>(run.parameters)),
         duration_text(run.update_seconds),
         str(number_text(run.update_bytes / run.update_seconds * 1e-9), " GB/s")});
  }
  ReportPage page{.title = "Optimizers on one task"};
  page.introduction = str(
      "The same model and data with every optimizer, each at the best rate of several that were "
      "tried on ",
      tuning.train.steps, " steps (factors of 3.16).");
  page.runs = run_variants(experiment, variants);
  page.sections.push_back({.title = "What an optimizer costs", .text = "", .table = table});
  write_report(experiment, page);
  return ExitCode::ok;
}

// ---- fusion

ExitCode fusion(const ReproArguments& arguments) {
  check_fusion_elements(arguments.elements);
  Experiment experiment = experiment_of(arguments, "fusion");
  ReportPage page{.title = "Kernel fusion"};
  page.runs = run_variants(experiment, {{"separate", {"train.fuse=false"}}, {"fused", {}}});
  ReportTable table{
      .head = {"chain", "bytes moved", "fused", "change", "time", "fused", "speed", "results"}};
  auto mib = [](double bytes) { return str(count_text(std::llround(bytes / 0x1p20)), " MiB"); };
  for (const auto& m : measure_fusion(arguments.elements, 0,
                                      [](const std::string& line) { log_info("chain: " + line); }))
    table.rows.push_back(
        {m.name, mib(m.separate.bytes), mib(m.fused.bytes),
         change_text(m.fused.bytes / m.separate.bytes - 1), duration_text(m.separate.seconds),
         duration_text(m.fused.seconds), ratio_text(m.separate.seconds / m.fused.seconds),
         m.difference == 0 ? "the same bits" : str("within ", number_text(m.difference))});
  page.introduction =
      "The same run with element-wise operations one by one and fused into single passes over "
      "memory; and chains of a training step alone, on arrays that the caches do not hold. Bytes "
      "are counted from the shapes of what each pass reads and writes.";
  page.sections.push_back({.title = str("Chains of ", count_text(arguments.elements), " numbers"),
                           .text = "",
                           .table = table});
  write_report(experiment, page);
  return ExitCode::ok;
}

Command repro_command(const char* name, const char* summary, const char* example,
                      ExitCode (*run)(const ReproArguments&),
                      void (*more)(Arguments&, ReproArguments&)) {
  return {.name = str("repro ", name),
          .summary = summary,
          .example = example,
          .setup = [run, more](Arguments& a) {
            auto arguments = std::make_shared<ReproArguments>();
            a.positional("CONFIG", arguments->config, "The config, a TOML file (docs/config.md)");
            a.option("--set", "KEY=VALUE", arguments->sets,
                     "Override a key of the config: section.key=value; may be repeated");
            a.option("--out", "DIR", arguments->out,
                     "Folder of the runs and their report (default: runs/repro-NAME)");
            more(a, *arguments);
            return [arguments, run] {
              if (arguments->seeds < 1 || arguments->seeds > 100)
                throw UsageError(str("[--seeds] expected from 1 to 100, got ", arguments->seeds));
              StopSignals signals;
              return run(*arguments);
            };
          }};
}

}  // namespace

Command repro_mixed_precision_command() {
  return repro_command(
      "mixed-precision", "Train in FP32, bf16 and fp16, and report what each costs",
      "repro mixed-precision my.toml --seeds 3", mixed_precision,
      [](Arguments& a, ReproArguments& r) {
        a.option("--seeds", "N", r.seeds, "Repeat with seeds train.seed, train.seed + 1, …");
      });
}

Command repro_optimizers_command() {
  return repro_command("optimizers", "Train with every optimizer at a tuned rate, and report",
                       "repro optimizers my.toml", optimizers, [](Arguments&, ReproArguments&) {});
}

Command repro_fusion_command() {
  return repro_command("fusion", "Train fused and not, measure chains of operations, and report",
                       "repro fusion my.toml", fusion, [](Arguments& a, ReproArguments& r) {
                         a.option("--elements", "N", r.elements,
                                  "Numbers in each array of the chains");
                       });
}

}  // namespace anneal
