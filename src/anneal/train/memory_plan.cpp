#include "anneal/train/memory_plan.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "anneal/base/error.hpp"
#include "anneal/base/memory_limit.hpp"
#include "anneal/checkpoint/checkpoint_writer.hpp"
#include "anneal/data/loader.hpp"
#include "anneal/device/cpu/parallel.hpp"
#include "anneal/passes/liveness.hpp"

namespace anneal {

namespace {

// What a compiled program keeps on the heap: nodes, values, their places and calls, about this much
// for each node of its pool (810 to 870 bytes, counted in models of 0.8M to 5M parameters).
constexpr int64_t bytes_of_node = 850;

int64_t bytes_of_programs(const Module& module) {
  int64_t nodes = 0;
  for (const auto& [name, program] : module.programs) nodes += program.node_count();
  return nodes * bytes_of_node;
}

}  // namespace

const char* memory_class_of(PersistentKind kind) {
  switch (kind) {
    case PersistentKind::parameter:
      return "weights";
    case PersistentKind::copy:
      return "copies";
    case PersistentKind::gradient:
      return "gradients";
    case PersistentKind::moment:
      return "moments";
    case PersistentKind::cache:
      return "caches";
    case PersistentKind::state:
      return "state";
  }
  return "";
}

int64_t planned_bytes(const RunConfig& config, const Module& module, const Plan& plan,
                      CpuTarget& target) {
  // Equal nodes share their kernel; one kernel runs at a time.
  std::set<const Kernel*> kernels;
  LibraryMemory library;
  for (const auto& [name, program] : module.programs)
    for (NodeId n : program.order) {
      auto kernel = target.kernel(*program.node(n).op, program.call(n));
      if (kernels.insert(kernel.get()).second) library += kernel->library_memory();
    }
  const auto& train = config.train;
  int64_t context = config.model.context;
  int64_t batches =
      BatchLoader::memory_bytes(
          {.context = context, .batch = train.batch, .prefetch = config.data.prefetch}) +
      (train.eval_every > 0 ? EvaluationReader::memory_bytes(context, train.micro_batch) : 0);
  return plan.arena_bytes + bytes_of_programs(module) + library.held +
         library.packing * thread_count() + batches + CheckpointWriter::staging_bytes();
}

void check_fits(const ModelConfig& config) {
  double state = 2 * sizeof(float) * config.matrix_elements();
  auto limit = static_cast<double>(memory_limit());
  if (limit == 0 || state <= limit) return;
  throw UsageError(str(
      "[model.width] the weights and gradients of ", config.layers, " layers of width ",
      config.width, " alone need ", std::llround(state / 0x1p30), " GiB, and this machine gives ",
      std::llround(limit / 0x1p30), " GiB (lower model.layers, model.width or model.hidden)"));
}

MemoryTable memory_table(const Module& module, const Plan& plan, Target& target) {
  MemoryTable table;
  table.classes = {"weights", "copies", "gradients", "moments", "caches", "state", "activations"};
  std::map<std::string, size_t> index;
  auto row = [&](const std::string& layer) -> MemoryRow& {
    auto [it, fresh] = index.emplace(layer, table.rows.size());
    if (fresh) table.rows.push_back({layer.empty() ? "inputs" : layer, {}});
    return table.rows[it->second];
  };
  for (const Persistent& p : module.persistents)
    row(layer_of(p.name)).bytes[memory_class_of(p.kind)] += p.type.bytes();

  int64_t largest = -1;
  for (const auto& [name, program] : plan.programs)
    if (program.transient_bytes > largest) {
      largest = program.transient_bytes;
      table.peak_program = name;
    }
  const Program& program = module.programs.at(table.peak_program);
  auto buffers = assign_buffers(program, module);
  int64_t peak = -1;
  int32_t at = 0;
  for (int32_t p = 0; p < static_cast<int32_t>(program.order.size()); ++p) {
    NodeId n = program.order[static_cast<size_t>(p)];
    int64_t live = target.workspace_bytes(*program.node(n).op, program.call(n));
    for (const Buffer& b : buffers)
      if (b.persistent < 0 && b.first <= p && p <= b.last) live += b.bytes;
    if (live > peak) peak = live, at = p;
  }
  NodeId n = program.order[static_cast<size_t>(at)];
  table.workspace_bytes = target.workspace_bytes(*program.node(n).op, program.call(n));
  for (const Buffer& b : buffers) {
    if (b.persistent >= 0 || b.first > at || at > b.last) continue;
    NodeId producer = -1;
    for (int32_t v : b.values)
      if (producer < 0) producer = program.info(Value{v}).producer;
    row(producer < 0 ? "" : layer_of(program.node(producer).scope)).bytes["activations"] += b.bytes;
  }
  table.fragmentation_bytes = plan.arena_bytes - plan.persistent_bytes - peak;
  return table;
}

}  // namespace anneal
