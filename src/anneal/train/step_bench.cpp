#include "anneal/train/step_bench.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "anneal/base/background_thread.hpp"
#include "anneal/device/cpu/isa.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/monitor/process_stats.hpp"

namespace anneal {
namespace {

constexpr int64_t traced_steps = 3;

// Looks at this process's memory from a thread of its own.
class MemoryWatch {
 public:
  MemoryWatch() : thread_(background_thread([this] { run(); })) {}
  ~MemoryWatch() { stop(); }
  ProcessStats stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return last_;
  }

 private:
  void run() {
    ProcessSampler sampler;
    do {
      last_ = sampler.sample();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    } while (!stop_);
    last_ = sampler.sample();
  }
  std::atomic<bool> stop_{false};
  ProcessStats last_;
  std::thread thread_;
};

// The phases of one more step each time, from the times of its nodes.
PhaseSeconds measure_phases(Workload& workload) {
  int64_t nodes = 0;
  const Session& session = workload.session();
  for (const StepProgram& p : programs_of_step(session.module(), workload.config()))
    nodes += p.runs * static_cast<int64_t>(session.module().programs.at(p.name).order.size());
  std::vector<PhaseSeconds> seen;
  for (int64_t i = 0; i < traced_steps; ++i) {
    ThreadTrace trace(0, 0, nodes);
    trace.start();
    StepTimes step = workload.step();
    trace.stop();
    PhaseSeconds p{.data = step.data_seconds()};
    for (const auto& span : trace.nodes()) {
      TracedNode traced = session.traced_node(span.tag);
      double seconds = static_cast<double>(span.end - span.begin) * 1e-9;
      switch (traced.program->node(traced.node).phase) {
        case Phase::forward:
          p.forward += seconds;
          break;
        case Phase::recompute:
          p.recompute += seconds;
          break;
        case Phase::backward:
          p.backward += seconds;
          break;
        case Phase::reduce:
          p.reduce += seconds;
          break;
        case Phase::apply:
          p.update += seconds;
          break;
      }
    }
    p.other = step.seconds() - p.data - p.forward - p.recompute - p.backward - p.reduce - p.update;
    seen.push_back(p);
  }
  PhaseSeconds middle;
  for (double PhaseSeconds::*phase :
       {&PhaseSeconds::data, &PhaseSeconds::forward, &PhaseSeconds::recompute,
        &PhaseSeconds::backward, &PhaseSeconds::reduce, &PhaseSeconds::update,
        &PhaseSeconds::other}) {
    std::vector<double> values;
    for (const auto& p : seen) values.push_back(p.*phase);
    middle.*phase = median(std::move(values));
  }
  return middle;
}

std::string describe(const StepBound::Line& line) {
  const MatrixProduct& p = line.step.product;
  char text[160];
  std::snprintf(
      text, sizeof text, "%4lld x %3lld of %6lld x %6lld x %6lld %s%s %s: %9.3f ms, %7.1f GFLOP/s",
      static_cast<long long>(line.step.runs), static_cast<long long>(p.count),
      static_cast<long long>(p.m), static_cast<long long>(p.n), static_cast<long long>(p.k),
      p.trans_a ? "aT" : "a", p.trans_b ? "bT" : "b", std::string(name_of(p.a)).c_str(),
      line.seconds * 1e3, p.flops() / line.seconds * 1e-9);
  return text;
}

}  // namespace

std::optional<double> StepMeasurement::mfu() const {
  double rate = precision == "bf16" ? rates.bf16_flops : rates.f32_flops;
  if (rate <= 0) return std::nullopt;
  return model_flops / step_seconds / rate;
}

StepMeasurement measure_step(const RunConfig& config, const StepBenchOptions& options) {
  auto log = [&](const std::string& line) {
    if (options.log) options.log(line);
  };
  set_threads(config.parallel.threads);
  ANNEAL_ASSERT(options.steps >= 1 && options.warmup >= 1, "no step to measure");
  CpuTarget target;
  Workload workload(config, target, options.warmup + options.steps + traced_steps);
  const RunConfig& resolved = workload.config();
  const Module& module = workload.session().module();
  StepMeasurement m;
  m.name = resolved.name;
  m.precision = resolved.train.precision;
  m.instruction_set =
      std::string(name_of(cpu_isa())) + (cpu_matmul_has_native_bf16() ? "+bf16" : "");
  m.library = cpu_matmul_library();
  m.threads = thread_count();
  m.parameters = module.parameter_elements();
  m.batch = resolved.train.batch;
  m.context = resolved.model.context;
  m.tokens = m.batch * m.context;
  m.planned_bytes = workload.planned_bytes();
  log(str(m.parameters, " parameters, ", m.tokens, " tokens a step"));
  std::optional<MemoryWatch> watch(std::in_place);
  for (int64_t i = 0; i < options.warmup; ++i) {
    double seconds = workload.step().seconds();
    if (i == 0) m.first_seconds = seconds;
  }
  ProcessStats stats = watch->stop();
  watch.reset();
  m.measured_bytes = stats.peak_anon_bytes - workload.baseline_bytes();
  m.peak_rss_bytes = stats.peak_rss_bytes;

  // Steps and products by turns, since the speed of a shared machine drifts.
  std::optional<StepBound> bound;
  if (options.bound) bound.emplace(module, resolved);
  std::vector<double> seconds;
  for (int64_t i = 0; i < options.steps; ++i) {
    seconds.push_back(workload.step().seconds());
    if (bound) bound->measure();
  }
  m.steps = options.steps;
  m.step_seconds = median(seconds);
  auto [least, most] = std::minmax_element(seconds.begin(), seconds.end());
  m.fastest_seconds = *least;
  m.slowest_seconds = *most;
  if (bound) {
    m.bound_seconds = bound->seconds();
    for (const auto& line : bound->lines()) log(describe(line));
  }
  m.phases = measure_phases(workload);
  m.model_flops = cost_of_step(module, resolved).model_flops;
  m.rates = measure_rates();
  m.predicted_seconds =
      predicted_seconds(module, resolved, m.rates, workload.session().plan().arena_bytes);
  return m;
}

}  // namespace anneal
