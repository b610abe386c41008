#pragma once

#include <map>
#include <string>
#include <vector>

#include "anneal/ir/module.hpp"
#include "anneal/ir/plan.hpp"
#include "anneal/runtime/cpu_target.hpp"
#include "anneal/train/config.hpp"

namespace anneal {

// What a run takes beyond its baseline: the arena; the programs themselves; what the library's
// primitives keep, and the packed operands of one product on every thread; batches; what saving
// needs.
int64_t planned_bytes(const RunConfig& config, const Module& module, const Plan& plan,
                      CpuTarget& target);

// Throws UsageError where the weights and gradients of a model alone are more than this machine's
// memory: known at once, where planning such a model would take long.
void check_fits(const ModelConfig& config);

// How tables and drawings name a kind of persistent value: "weights", "moments", …
const char* memory_class_of(PersistentKind kind);

// One row of the memory table: a layer ("h.3", "embed", …) with its bytes by class.
struct MemoryRow {
  std::string layer;
  std::map<std::string, int64_t> bytes;  // weights, gradients, moments, copies, caches, activations
};

struct MemoryTable {
  std::vector<std::string> classes;
  std::vector<MemoryRow> rows;
  std::string peak_program;         // the program whose transient values need most
  int64_t workspace_bytes = 0;      // at its peak
  int64_t fragmentation_bytes = 0;  // what packing loses at the peak
};

// Persistent values by layer and class, and what each layer's transient values hold at the moment
// when the largest program needs most. Columns and workspace sum to the arena with
// `fragmentation_bytes`.
MemoryTable memory_table(const Module& module, const Plan& plan, Target& target);

}  // namespace anneal
