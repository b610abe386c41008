#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/plan_report.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/train/kernel_bench.hpp"
#include "anneal/train/signals.hpp"
#include "anneal/train/step_bench.hpp"

namespace anneal {
namespace {

using Json = nlohmann::ordered_json;

struct StepArguments {
  std::string config;
  std::vector<std::string> sets;
  StepBenchOptions options;
  bool no_bound = false;
  bool json = false;
  std::string compare;
};

Json to_json(const StepMeasurement& m) {
  Json json;
  json["name"] = m.name;
  json["precision"] = m.precision;
  json["instruction_set"] = m.instruction_set;
  json["library"] = m.library;
  json["threads"] = m.threads;
  json["parameters"] = m.parameters;
  json["batch"] = m.batch;
  json["context"] = m.context;
  json["tokens_per_step"] = m.tokens;
  json["steps"] = m.steps;
  json["step_seconds"] = m.step_seconds;
  json["fastest_seconds"] = m.fastest_seconds;
  json["slowest_seconds"] = m.slowest_seconds;
  json["first_seconds"] = m.first_seconds;
  json["tokens_per_second"] = m.tokens_per_second();
  json["flops_per_step"] = m.model_flops;
  json["mfu"] = m.mfu() ? Json(*m.mfu()) : Json(nullptr);
  json["phases"] = {{"data", m.phases.data},           {"forward", m.phases.forward},
                    {"recompute", m.phases.recompute}, {"backward", m.phases.backward},
                    {"reduce", m.phases.reduce},       {"update", m.phases.update},
                    {"other", m.phases.other}};
  json["rates"] = {{"f32_flops", m.rates.f32_flops},
                   {"bf16_flops", m.rates.bf16_flops},
                   {"triad_bytes", m.rates.triad_bytes},
                   {"streaming_triad_bytes", m.rates.streaming_triad_bytes},
                   {"read_bytes", m.rates.read_bytes},
                   {"cached_bytes", m.rates.cached_bytes}};
  if (m.bound_seconds)
    json["bound"] = {{"seconds", *m.bound_seconds}, {"ratio", *m.bound_seconds / m.step_seconds}};
  else
    json["bound"] = nullptr;
  json["predicted_seconds"] = m.predicted_seconds;
  json["memory"] = {{"planned_bytes", m.planned_bytes},
                    {"measured_bytes", m.measured_bytes},
                    {"peak_rss_bytes", m.peak_rss_bytes}};
  return json;
}

void print_rates(const MachineRates& rates) {
  std::printf("machine     %10.1f GFLOP/s f32, ", rates.f32_flops * 1e-9);
  if (rates.bf16_flops > 0)
    std::printf("%.1f bf16", rates.bf16_flops * 1e-9);
  else
    std::printf("no bf16 products");
  std::printf("; triad %.1f GB/s, streaming %.1f, reading %.1f, cached %.1f\n",
              rates.triad_bytes * 1e-9, rates.streaming_triad_bytes * 1e-9, rates.read_bytes * 1e-9,
              rates.cached_bytes * 1e-9);
}

void print_text(const StepMeasurement& m) {
  auto ll = [](int64_t x) { return static_cast<long long>(x); };
  std::printf("%s, %s: %.2fM parameters, %lld x %lld tokens, %lld threads, %s, %s\n\n",
              m.name.c_str(), m.precision.c_str(), static_cast<double>(m.parameters) / 1e6,
              ll(m.batch), ll(m.context), ll(m.threads), m.instruction_set.c_str(),
              m.library.c_str());
  std::printf("step        %10.2f ms, median of %lld (%.2f to %.2f; the first %.2f)\n",
              m.step_seconds * 1e3, ll(m.steps), m.fastest_seconds * 1e3, m.slowest_seconds * 1e3,
              m.first_seconds * 1e3);
  std::printf("throughput  %10.1f tokens/s\n", m.tokens_per_second());
  if (m.mfu())
    std::printf("MFU         %10.1f %% of the measured matrix rate, %.2f GFLOP a step\n",
                *m.mfu() * 100, m.model_flops * 1e-9);
  if (m.bound_seconds)
    std::printf("bound       %10.2f ms for the matrix products alone: the step runs at %.1f %%\n",
                *m.bound_seconds * 1e3, *m.bound_seconds / m.step_seconds * 100);
  std::printf(
      "predicted   %10.2f ms by the roofline of every node: measured is %.2f times that\n\n",
      m.predicted_seconds * 1e3, m.step_seconds / m.predicted_seconds);
  std::pair<const char*, double> phases[] = {
      {"data", m.phases.data},           {"forward", m.phases.forward},
      {"recompute", m.phases.recompute}, {"backward", m.phases.backward},
      {"reduce", m.phases.reduce},       {"update", m.phases.update},
      {"other", m.phases.other}};
  double total = 0;
  for (auto [name, seconds] : phases) total += seconds;
  for (auto [name, seconds] : phases)
    std::printf("%-10s  %10.2f ms  %5.1f %%\n", name, seconds * 1e3, seconds / total * 100);
  std::printf("\nmemory      %10.1f MiB planned, %.1f measured, %.1f resident in all\n",
              static_cast<double>(m.planned_bytes) / 0x1p20,
              static_cast<double>(m.measured_bytes) / 0x1p20,
              static_cast<double>(m.peak_rss_bytes) / 0x1p20);
  print_rates(m.rates);
}

double number(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_number() ? json[key].get<double>() : 0.0;
}

// What `bench step --json` wrote another time.
Json read_measurement(const std::string& file) {
  Json json;
  try {
    json = Json::parse(read_file(file, 1 << 20), nullptr, false);
  } catch (const Error& error) {
    throw UsageError(str("[--compare] ", error.what(), " (give a file that can be read)"));
  }
  if (!json.is_object() || number(json, "step_seconds") <= 0)
    throw UsageError(str("[--compare] ", file,
                         " is no measurement (give a file that anneal bench step --json wrote)"));
  return json;
}

// Another measurement beside this one.
void print_comparison(const Json& now, const Json& other) {
  std::printf("\n%-16s %14s %14s %10s\n", "", "now", "other", "now/other");
  auto row = [&](const char* name, double a, double b) {
    if (b != 0) std::printf("%-16s %14.2f %14.2f %10.3f\n", name, a, b, a / b);
  };
  row("step ms", number(now, "step_seconds") * 1e3, number(other, "step_seconds") * 1e3);
  row("tokens/s", number(now, "tokens_per_second"), number(other, "tokens_per_second"));
  row("MFU %", number(now, "mfu") * 100, number(other, "mfu") * 100);
  if (!other.contains("phases")) return;
  for (auto& [name, seconds] : now["phases"].items())
    row((name + " ms").c_str(), seconds.get<double>() * 1e3,
        number(other["phases"], name.c_str()) * 1e3);
  if (!other.contains("memory")) return;
  row("planned MiB", number(now["memory"], "planned_bytes") / 0x1p20,
      number(other["memory"], "planned_bytes") / 0x1p20);
  row("resident MiB", number(now["memory"], "peak_rss_bytes") / 0x1p20,
      number(other["memory"], "peak_rss_bytes") / 0x1p20);
}

ExitCode bench_step(const StepArguments& arguments) {
  for (int64_t steps : {arguments.options.steps, arguments.options.warmup})
    if (steps < 1 || steps > Workload::most_steps)
      throw UsageError(str("[bench step] expected --steps and --warmup from 1 to ",
                           Workload::most_steps, ", got ", steps));
  if (arguments.json && !arguments.compare.empty())
    throw UsageError("[--json] does not go with --compare (ask for one at a time)");
  Json other;
  if (!arguments.compare.empty()) other = read_measurement(arguments.compare);
  StopSignals signals;
  LoadedConfig loaded = load_config(arguments.config, arguments.sets, DataRule::optional);
  StepBenchOptions options = arguments.options;
  options.bound = !arguments.no_bound;
  options.log = [](const std::string& line) { log_info(line); };
  StepMeasurement m;
  try {
    m = measure_step(loaded.config, options);
  } catch (const UsageError& error) {
    throw UsageError(with_location(loaded, error.what()));
  }
  if (arguments.json) {
    std::cout << to_json(m).dump(2) << '\n';
    return ExitCode::ok;
  }
  print_text(m);
  if (!arguments.compare.empty()) print_comparison(to_json(m), other);
  return ExitCode::ok;
}

struct KernelArguments {
  std::string config;
  std::vector<std::string> sets;
  bool json = false;
};

ExitCode bench_kernels(const KernelArguments& arguments) {
  LoadedConfig loaded = load_config(arguments.config, arguments.sets, DataRule::optional);
  RunConfig& config = loaded.config;
  if (config.model.vocab_size == 0) config.model.vocab_size = vocabulary_of(config);
  set_threads(config.parallel.threads);
  MachineRates rates = measure_rates();
  std::vector<KernelMeasurement> list;
  try {
    list = measure_kernels(config, rates, [](const std::string& line) { log_info(line); });
  } catch (const UsageError& error) {
    throw UsageError(with_location(loaded, error.what()));
  }
  if (arguments.json) {
    Json json = Json::array();
    for (const auto& m : list)
      json.push_back({{"op", m.op},
                      {"scope", m.scope},
                      {"phase", m.phase},
                      {"shapes", m.shapes},
                      {"calls", m.calls},
                      {"seconds", m.seconds},
                      {"flops", m.cost.flops},
                      {"bytes", m.cost.bytes},
                      {"roofline_seconds", m.roofline_seconds}});
    std::cout << json.dump(2) << '\n';
    return ExitCode::ok;
  }
  double total = 0;
  for (const auto& m : list) total += m.seconds * static_cast<double>(m.calls);
  std::printf("%-20s %-9s %5s %10s %6s %9s %8s %9s %9s  %s\n", "op", "phase", "calls", "ms a call",
              "% step", "GFLOP/s", "GB/s", "% of roof", "lost ms", "shapes");
  for (const auto& m : list)
    std::printf("%-20s %-9s %5lld %10.3f %6.1f %9.1f %8.1f %9.1f %9.2f  %s\n", m.op.c_str(),
                m.phase.c_str(), static_cast<long long>(m.calls), m.seconds * 1e3,
                m.seconds * static_cast<double>(m.calls) / total * 100,
                m.cost.flops / m.seconds * 1e-9, m.cost.bytes / m.seconds * 1e-9,
                m.roofline_seconds / m.seconds * 100, m.lost_seconds() * 1e3, m.shapes.c_str());
  std::printf("\nall kernels of a step: %.2f ms\n", total * 1e3);
  print_rates(rates);
  return ExitCode::ok;
}

}  // namespace

Command bench_kernels_command() {
  return {.name = "bench kernels",
          .summary = "Measure each kernel of a training step alone, the one that loses most first",
          .example = "bench kernels my.toml --set train.precision=fp32",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<KernelArguments>();
            a.positional("CONFIG", arguments->config,
                         "The config, a TOML file; data.train may be left out");
            a.option("--set", "KEY=VALUE", arguments->sets,
                     "Override a key of the config: section.key=value; may be repeated");
            a.flag("--json", arguments->json, "Print JSON");
            return [arguments] { return bench_kernels(*arguments); };
          }};
}

Command bench_step_command() {
  return {.name = "bench step",
          .summary = "Measure whole training steps against what this machine could do",
          .example = "bench step my.toml --set train.precision=fp32",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<StepArguments>();
            a.positional("CONFIG", arguments->config,
                         "The config, a TOML file; without data.train, random tokens are used");
            a.option("--set", "KEY=VALUE", arguments->sets,
                     "Override a key of the config: section.key=value; may be repeated");
            a.option("--steps", "N", arguments->options.steps, "Steps to measure");
            a.option("--warmup", "N", arguments->options.warmup, "Steps before them");
            a.flag("--no-bound", arguments->no_bound,
                   "Do not measure the time of the matrix products alone");
            a.option("--compare", "FILE", arguments->compare,
                     "Print this measurement beside one that --json wrote to FILE");
            a.flag("--json", arguments->json, "Print JSON");
            return [arguments] { return bench_step(*arguments); };
          }};
}

}  // namespace anneal
