#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/ir/module.hpp"
#include "anneal/ir/plan.hpp"
#include "anneal/ir/target.hpp"
#include "anneal/optim/config.hpp"

namespace anneal {

// A low-rank adapter of one weight, or of those of its output features that begin at `first`.
struct Adapter {
  std::string weight;  // the parameter
  std::string scope;   // of the adapter's own parameters, lora_A and lora_B
  int64_t first = 0;
  int64_t features = 0;
  int64_t rank = 0;
  double scale = 1;    // of what is added
  double dropout = 0;  // of the adapter's input, in training
};

// What the passes are asked to do; each looks at its own part and does nothing when that is off.
struct PassOptions {
  std::string precision = "fp32";  // fp32 | bf16 | fp16
  std::string recompute = "none";  // none | cheap | attention | block
  OptimizerConfig optimizer;
  bool clip_value = false;          // the update clips each element of a gradient
  std::vector<Adapter> adapters{};  // with some, all other parameters are frozen
  uint64_t seed = 1;                // of what passes draw: the adapters' dropout
  int64_t shards = 1;               // logical shards of the batch, see accumulate
  bool reuse_memory = true;         // off: every value has a place of its own (for tests)
  bool fuse = true;                 // off: one node per op (for tests)
};

struct PassContext {
  const PassOptions& options;
  Target& target;
  Plan& plan;  // written by plan_memory
};

// A technique: one function Module -> Module, in the file of its name.
struct Pass {
  std::string_view name;
  void (*run)(Module&, const PassContext&);
};

// All passes in the order in which they always run.
std::span<const Pass> pipeline();

// Runs the pipeline over the module, verifying after each pass. `observe` is called after each pass
// with its name and the seconds it took.
using PassObserver = std::function<void(const Pass&, const Module&, double seconds)>;
Plan run_passes(Module& module, const PassOptions& options, Target& target,
                const PassObserver& observe = {});

void adapt(Module&, const PassContext&);
void simplify(Module&, const PassContext&);
void expand(Module&, const PassContext&);
void differentiate(Module&, const PassContext&);
void mixed_precision(Module&, const PassContext&);
void recompute(Module&, const PassContext&);
void accumulate(Module&, const PassContext&);
void append_optimizer(Module&, const PassContext&);
void fuse(Module&, const PassContext&);
void schedule(Module&, const PassContext&);
void plan_memory(Module&, const PassContext&);

}  // namespace anneal
