#include "anneal/cli/plan_report.hpp"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "anneal/data/check.hpp"
#include "anneal/data/obtain_tokenizer.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/ir/print.hpp"
#include "anneal/train/bytes.hpp"
#include "anneal/train/engine.hpp"
#include "anneal/train/memory_plan.hpp"
#include "anneal/train/step_cost.hpp"

namespace anneal {
namespace {

struct ProgramCost {
  double flops = 0;
  double bytes = 0;
  size_t nodes = 0;
};

ProgramCost cost_of_program(const Program& program) {
  ProgramCost total;
  total.nodes = program.order.size();
  for (NodeId n : program.order) {
    Cost cost = cost_of(*program.node(n).op, program.call(n));
    total.flops += cost.flops;
    total.bytes += cost.bytes;
  }
  return total;
}

}  // namespace

int64_t vocabulary_of(const RunConfig& config) {
  if (config.model.vocab_size > 0) return config.model.vocab_size;
  DataSummary data = check_data(config.data, {.context = config.model.context,
                                              .vocab_size = config.model.vocab_size,
                                              .seed = config.train.seed});
  if (data.tokenizer) return data.tokenizer->vocab_size();
  return data.bpe_size > 0 ? data.bpe_size : data.vocab_size;
}

namespace {

void print_text(const RunConfig& config, const Module& module, const Plan& plan,
                const MemoryTable& table, int64_t planned, const MachineRates& rates) {
  std::printf(
      "%s: %s, %lld layers, width %lld, context %lld, vocabulary %lld: %.2fM parameters\n\n",
      config.name.c_str(), config.model.family.c_str(), static_cast<long long>(config.model.layers),
      static_cast<long long>(config.model.width), static_cast<long long>(config.model.context),
      static_cast<long long>(config.model.vocab_size),
      static_cast<double>(module.parameter_elements()) / 1e6);
  std::vector<std::string> classes;
  for (const auto& c : table.classes)
    for (const auto& row : table.rows)
      if (row.bytes.count(c)) {
        classes.push_back(c);
        break;
      }
  std::printf("memory in MiB, transient values at the peak of program %s\n%-14s",
              table.peak_program.c_str(), "layer");
  for (const auto& c : classes) std::printf("%13s", c.c_str());
  std::printf("%13s\n", "total");
  std::map<std::string, int64_t> totals;
  auto mib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  for (const auto& row : table.rows) {
    int64_t sum = 0;
    std::printf("%-14s", row.layer.c_str());
    for (const auto& c : classes) {
      auto it = row.bytes.find(c);
      int64_t bytes = it == row.bytes.end() ? 0 : it->second;
      totals[c] += bytes;
      sum += bytes;
      std::printf("%13.2f", mib(bytes));
    }
    std::printf("%13.2f\n", mib(sum));
  }
  std::printf("%-14s", "all layers");
  int64_t sum = 0;
  for (const auto& c : classes) {
    std::printf("%13.2f", mib(totals[c]));
    sum += totals[c];
  }
  std::printf("%13.2f\n\n", mib(sum));
  std::printf("workspace      %10.2f MiB\n", mib(table.workspace_bytes));
  std::printf("fragmentation  %10.2f MiB (places that fit no value, and alignment)\n",
              mib(plan.arena_bytes - sum - table.workspace_bytes));
  std::printf("arena          %10.2f MiB, allocated once before the first step\n",
              mib(plan.arena_bytes));
  std::printf("planned        %10.2f MiB, with programs, primitives, batches and saving\n\n",
              mib(planned));
  std::printf("%-16s%8s%14s%14s\n", "program", "nodes", "GFLOP", "GB moved");
  for (const auto& [name, program] : module.programs) {
    ProgramCost cost = cost_of_program(program);
    std::printf("%-16s%8zu%14.3f%14.3f\n", name.c_str(), cost.nodes, cost.flops / 1e9,
                cost.bytes / 1e9);
  }
  StepCost cost = cost_of_step(module, config);
  double seconds = predicted_seconds(module, config, rates, plan.arena_bytes);
  auto tokens = config.train.batch * config.model.context;
  std::printf(
      "\none step: %lld sequences in %lld micro-batches, %lld tokens, %.3f TFLOP, %.2f GB\n",
      static_cast<long long>(config.train.batch),
      static_cast<long long>(config.train.batch / config.train.micro_batch),
      static_cast<long long>(tokens), cost.flops / 1e12, cost.bytes / 1e9);
  DType dtype = config.train.precision == "bf16" ? DType::bf16 : DType::f32;
  std::printf(
      "by the roofline of every node, at the %.0f GFLOP/s and %.1f GB/s measured here: "
      "%.1f ms, %.0f tokens/s\n",
      rates.flops(dtype) * 1e-9, bandwidth_of(rates, stays_in_cache(plan.arena_bytes)) * 1e-9,
      seconds * 1e3, static_cast<double>(tokens) / seconds);
}

void print_json(const RunConfig& config, const Module& module, const Plan& plan,
                const MemoryTable& table, int64_t planned, const MachineRates& rates) {
  nlohmann::ordered_json json;
  json["parameters"] = module.parameter_elements();
  json["planned_bytes"] = planned;
  json["arena_bytes"] = plan.arena_bytes;
  json["persistent_bytes"] = plan.persistent_bytes;
  json["workspace_bytes"] = table.workspace_bytes;
  json["fragmentation_bytes"] = table.fragmentation_bytes;
  json["tokens_per_step"] = config.train.batch * config.model.context;
  StepCost cost = cost_of_step(module, config);
  json["step"] = {
      {"flops", cost.flops},
      {"model_flops", cost.model_flops},
      {"bytes", cost.bytes},
      {"predicted_seconds", predicted_seconds(module, config, rates, plan.arena_bytes)}};
  for (const auto& row : table.rows) {
    auto& layer = json["layers"][row.layer];
    for (const auto& [name, bytes] : row.bytes) layer[name] = bytes;
  }
  for (const auto& [name, program] : module.programs) {
    ProgramCost cost = cost_of_program(program);
    json["programs"][name] = {{"nodes", cost.nodes},
                              {"flops", cost.flops},
                              {"bytes", cost.bytes},
                              {"transient_bytes", plan.programs.at(name).transient_bytes}};
  }
  std::cout << json.dump(2) << '\n';
}

}  // namespace

void print_plan(const LoadedConfig& loaded, const PlanReportOptions& options) {
  RunConfig config = loaded.config;
  config.model.vocab_size = vocabulary_of(config);
  if (config.parallel.shards == 0) config.parallel.shards = 1;
  if (config.data.validation_fraction == 0 && config.data.validation_files.empty())
    config.train.eval_every = 0;
  set_threads(config.parallel.threads);
  EngineOptions engine;
  engine.evaluate = config.train.eval_every > 0;
  engine.generate = config.train.sample_every > 0;
  if (!options.print_after.empty()) {
    bool known = false;
    std::string names;
    for (const Pass& pass : pipeline()) {
      known |= pass.name == options.print_after;
      names += str(names.empty() ? "" : ", ", pass.name);
    }
    if (!known)
      throw UsageError(str("[--print-after] there is no pass \"", options.print_after,
                           "\" (choose one of ", names, ")"));
  }
  CpuTarget target;
  Module module = build_module(config, engine);
  Plan plan = run_passes(module, pass_options(config, module), target,
                         [&](const Pass& pass, const Module& m, double seconds) {
                           if (pass.name != options.print_after) return;
                           std::cout << "# after " << pass.name << ", " << seconds * 1e3 << " ms\n";
                           print(std::cout, m);
                         });
  if (!options.print_after.empty()) return;
  if (options.print_program) {
    print(std::cout, module);
    return;
  }
  MemoryTable table = memory_table(module, plan, target);
  int64_t planned = planned_bytes(config, module, plan, target);
  MachineRates rates = measure_rates();
  if (options.json)
    print_json(config, module, plan, table, planned, rates);
  else
    print_text(config, module, plan, table, planned, rates);
}

}  // namespace anneal
