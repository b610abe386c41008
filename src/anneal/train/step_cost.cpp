#include "anneal/train/step_cost.hpp"

#include <algorithm>

#include "anneal/base/memory_limit.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"

namespace anneal {
namespace {

template <class F>
void for_each_node(const Module& module, const RunConfig& config, const F& f) {
  for (const StepProgram& step : programs_of_step(module, config)) {
    const Program& program = module.programs.at(step.name);
    for (NodeId n : program.order) f(program.node(n), program.call(n), step.runs);
  }
}

}  // namespace

std::vector<StepProgram> programs_of_step(const Module& module, const RunConfig& config) {
  int64_t shards = std::max<int64_t>(1, config.parallel.shards);
  int64_t runs = config.train.batch / shards / config.train.micro_batch;
  std::vector<StepProgram> programs = {{"step.first", shards},
                                       {"step.next", shards * (runs - 1)},
                                       {"combine.first", shards > 1 ? 1 : 0},
                                       {"combine.next", shards > 1 ? shards - 1 : 0},
                                       {"reduce", 1},
                                       {"apply", 1}};
  std::erase_if(programs, [&](const StepProgram& p) {
    return p.runs == 0 || !module.programs.contains(p.name);
  });
  return programs;
}

bool stays_in_cache(int64_t arena_bytes) {
  // A last-level cache of a common size; a larger plan streams from memory.
  return arena_bytes <= int64_t{16} << 20;
}

double bandwidth_of(const MachineRates& rates, bool cached) {
  return cached ? rates.cached_bytes : rates.triad_bytes;
}

StepCost cost_of_step(const Module& module, const RunConfig& config) {
  StepCost total;
  for_each_node(module, config, [&](const Node& node, const OpCall& call, int64_t runs) {
    auto times = static_cast<double>(runs);
    Cost cost = cost_of(*node.op, call);
    total.flops += times * cost.flops;
    total.bytes += times * cost.bytes;
    if (node.phase == Phase::recompute) return;
    for (const MatrixProduct& p : products_of(*node.op, call))
      total.model_flops += times * p.flops();
  });
  return total;
}

double roofline_seconds(const Node& node, const OpCall& call, const MachineRates& rates,
                        bool cached) {
  Cost cost = cost_of(*node.op, call);
  auto products = products_of(*node.op, call);
  DType dtype = products.empty() ? DType::f32 : products[0].a;
  return std::max(cost.flops / rates.flops(dtype), cost.bytes / bandwidth_of(rates, cached));
}

double predicted_seconds(const Module& module, const RunConfig& config, const MachineRates& rates,
                         int64_t arena_bytes) {
  double total = 0;
  bool cached = stays_in_cache(arena_bytes);
  for_each_node(module, config, [&](const Node& node, const OpCall& call, int64_t runs) {
    total += static_cast<double>(runs) * roofline_seconds(node, call, rates, cached);
  });
  return total;
}

std::vector<StepProduct> products_of_step(const Module& module, const RunConfig& config) {
  std::vector<StepProduct> list;
  for_each_node(module, config, [&](const Node& node, const OpCall& call, int64_t runs) {
    if (node.phase == Phase::recompute) return;
    for (const MatrixProduct& p : products_of(*node.op, call)) {
      auto same = std::find_if(list.begin(), list.end(),
                               [&](const StepProduct& s) { return s.product == p; });
      if (same == list.end())
        list.push_back({p, runs});
      else
        same->runs += runs;
    }
  });
  return list;
}

StepBound::StepBound(const Module& module, const RunConfig& config) {
  int64_t memory = 0;
  for (const StepProduct& step : products_of_step(module, config)) {
    const MatrixProduct& p = step.product;
    MatmulSpec spec{.m = p.m,
                    .n = p.n,
                    .k = p.k,
                    .trans_a = p.trans_a,
                    .trans_b = p.trans_b,
                    .a = p.a,
                    .b = p.b,
                    .c = p.c,
                    .accumulate = p.accumulate};
    // Of many small products a sample tells the rate. Long positions are cut: a shorter product
    // stays in the caches, so that its rate is the best one.
    int64_t count = p.count;
    if (count > 1) {
      constexpr int64_t longest = 512;
      count = std::min<int64_t>(count, 8 * thread_count());
      for (int64_t* extent : {&spec.m, &spec.n, &spec.k}) *extent = std::min(*extent, longest);
    }
    auto volume = [](int64_t m, int64_t n, int64_t k) {
      return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    };
    double share = static_cast<double>(p.count) * volume(p.m, p.n, p.k) * p.part /
                   (static_cast<double>(count) * volume(spec.m, spec.n, spec.k));
    // More rows than these do not change the rate, but logits of a whole batch take much memory.
    constexpr int64_t most_rows = 1024;
    for (int64_t* extent : {&spec.m, &spec.k})
      if (count == 1 && *extent > most_rows && volume(spec.m, spec.n, spec.k) > 0x1p36) {
        share *= static_cast<double>(*extent) / most_rows;
        *extent = most_rows;
      }
    memory += ProductBench::memory_bytes(spec, count);
    if (int64_t limit = memory_limit(); limit > 0 && memory > limit / 2)
      throw UsageError(
          "[--no-bound] the operands of the step's matrix products do not fit into this machine's "
          "memory beside the run (give --no-bound, or a smaller train.micro_batch)");
    entries_.push_back({step, share, ProductBench(spec, count)});
  }
}

void StepBound::measure() {
  for (Entry& e : entries_) e.seconds.push_back(e.bench.run());
}

std::vector<StepBound::Line> StepBound::lines() const {
  std::vector<Line> list;
  for (const Entry& e : entries_) list.push_back({e.step, median(e.seconds) * e.share});
  return list;
}

double StepBound::seconds() const {
  double total = 0;
  for (const Line& line : lines()) total += line.seconds * static_cast<double>(line.step.runs);
  return total;
}

}  // namespace anneal
