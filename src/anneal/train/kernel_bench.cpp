#include "anneal/train/kernel_bench.hpp"

#include <algorithm>
#include <type_traits>

#include "anneal/base/rng.hpp"
#include "anneal/device/arena.hpp"
#include "anneal/device/cpu/median.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/train/engine.hpp"
#include "anneal/train/memory_plan.hpp"

namespace anneal {
namespace {

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Numbers that every op can take: in [0.25, 0.75), tokens and positions below `limit`, scalar
// integers 0.
void fill(const TensorType& type, std::byte* data, int64_t limit) {
  int64_t n = type.shape.elements();
  parallel_ranges(n, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      uint32_t word = philox(0x5eed, static_cast<uint64_t>(i), 0)[0];
      float x = 0.25f + 0.5f * uniform_float(word);
      auto whole = static_cast<int64_t>(uint64_t{word} * static_cast<uint64_t>(limit) >> 32);
      if (n == 1) whole = 0;
      visit(type.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<T>)
          reinterpret_cast<T*>(data)[i] = static_cast<T>(whole);
        else
          reinterpret_cast<T*>(data)[i] = static_cast<T>(x);
      });
    }
  });
}

// A kernel with operands of its own.
class Bench {
 public:
  Bench(const OpDef& op, const OpCall& call, const Kernel& kernel, int64_t limit)
      : kernel_(kernel), memory_(bytes_of(call, kernel)) {
    int64_t at = 0;
    auto place = [&](int64_t bytes) {
      std::byte* p = memory_.at(at);
      at += aligned(bytes);
      return p;
    };
    for (const auto& type : call.in) {
      in_.push_back(type ? place(type->bytes()) : nullptr);
      if (type) fill(*type, static_cast<std::byte*>(in_.back()), limit);
    }
    for (const auto& type : call.out) out_.push_back(place(type.bytes()));
    // Where an output is an input changed in place, it is here too.
    auto share = [&](int output, int input) {
      if (call.has(static_cast<size_t>(input)))
        out_[static_cast<size_t>(output)] = in_[static_cast<size_t>(input)];
    };
    for (const AccumulateInto& a : op.accumulate) share(a.output, a.input);
    for (const Alias& a : op.must_alias) share(a.output, a.input);
    workspace_ = place(kernel.workspace_bytes());
  }

  double seconds() const {
    return median_seconds([&] { kernel_.run({in_.data(), out_.data(), workspace_}); });
  }

 private:
  static int64_t bytes_of(const OpCall& call, const Kernel& kernel) {
    int64_t bytes = aligned(kernel.workspace_bytes()) + 64;
    for (const auto& type : call.in)
      if (type) bytes += aligned(type->bytes());
    for (const auto& type : call.out) bytes += aligned(type.bytes());
    return bytes;
  }

  const Kernel& kernel_;
  Arena memory_;
  std::vector<void*> in_, out_;
  std::byte* workspace_ = nullptr;
};

std::string shapes_of(const OpCall& call) {
  std::string text;
  for (const auto& type : call.in)
    if (type) text += str(text.empty() ? "" : ", ", *type);
  text += " -> ";
  for (size_t i = 0; i < call.out.size(); ++i) text += str(i ? ", " : "", call.out[i]);
  return text;
}

}  // namespace

std::vector<KernelMeasurement> measure_kernels(const RunConfig& config, const MachineRates& rates,
                                               const std::function<void(const std::string&)>& log) {
  set_threads(config.parallel.threads);
  check_fits(config.model);
  CpuTarget target;
  Module module = build_module(config, {.evaluate = false});
  Plan plan = run_passes(module, pass_options(config, module), target);
  int64_t limit = std::min(config.model.vocab_size, config.model.context);
  bool cached = stays_in_cache(plan.arena_bytes);

  struct Distinct {
    const OpDef* op;
    OpCall call;
    KernelMeasurement measurement;
  };
  std::vector<Distinct> list;
  for (const StepProgram& step : programs_of_step(module, config)) {
    const Program& program = module.programs.at(step.name);
    for (NodeId n : program.order) {
      const Node& node = program.node(n);
      OpCall call = program.call(n);
      auto same = std::find_if(list.begin(), list.end(), [&](const Distinct& d) {
        return d.op == node.op && d.call == call;
      });
      if (same == list.end()) {
        KernelMeasurement m{.op = std::string(node.op->name),
                            .scope = node.scope,
                            .phase = std::string(name_of(node.phase)),
                            .shapes = shapes_of(call),
                            .cost = cost_of(*node.op, call),
                            .roofline_seconds = roofline_seconds(node, call, rates, cached)};
        list.push_back({node.op, std::move(call), std::move(m)});
        same = std::prev(list.end());
      }
      same->measurement.calls += step.runs;
    }
  }
  if (log) log(str(list.size(), " distinct kernels"));
  std::vector<KernelMeasurement> measured;
  for (Distinct& d : list) {
    auto kernel = target.kernel(*d.op, d.call);
    d.measurement.seconds = Bench(*d.op, d.call, *kernel, limit).seconds();
    measured.push_back(std::move(d.measurement));
  }
  std::stable_sort(measured.begin(), measured.end(), [](const auto& a, const auto& b) {
    return a.lost_seconds() > b.lost_seconds();
  });
  return measured;
}

}  // namespace anneal
