#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "anneal/device/arena.hpp"
#include "anneal/device/cpu/thread_trace.hpp"
#include "anneal/ir/module.hpp"
#include "anneal/ir/plan.hpp"
#include "anneal/runtime/cpu_target.hpp"

namespace anneal {

// One tensor in the arena.
struct TensorRef {
  TensorType type;
  std::byte* data = nullptr;

  template <class T>
  std::span<T> as() const {
    ANNEAL_ASSERT(sizeof(T) == static_cast<size_t>(size_of(type.dtype)), "a tensor of ",
                  name_of(type.dtype), " is read as another type");
    return {reinterpret_cast<T*>(data), static_cast<size_t>(type.shape.elements())};
  }
};

// A program of a planned module, ready to replay: kernels with their argument pointers. run()
// allocates nothing.
class Executable {
 public:
  // A trace knows the node at position i of the program's order as first_tag + i.
  Executable(const Program& program, const ProgramPlan& plan, CpuTarget& target, const Arena& arena,
             int64_t first_tag);

  // Reports each node to the active ThreadTrace, if there is one.
  void run() const;
  // Runs, overwriting every range with NaN bytes as soon as nobody reads it any more: the results
  // must not change.
  void run_poisoned() const;

  // Inputs must be written before each run; their places are used again while it runs.
  const TensorRef& input(std::string_view name) const;
  bool has_input(std::string_view name) const;
  const TensorRef& output(std::string_view name) const;
  bool has_output(std::string_view name) const;
  const std::vector<std::pair<std::string, TensorRef>>& outputs() const { return outputs_; }

 private:
  struct Step {
    std::shared_ptr<const Kernel> kernel;
    size_t first_input, first_output;  // into pointers_
    std::byte* workspace;
  };
  KernelArgs arguments(const Step& step) const;
  void run_traced(ThreadTrace& trace) const;

  int64_t first_tag_;
  std::vector<Step> steps_;
  std::vector<void*> pointers_;
  std::vector<std::pair<std::string, TensorRef>> inputs_, outputs_;
  std::vector<std::vector<std::pair<std::byte*, int64_t>>> dead_after_;
};

// A node of a session's module.
struct TracedNode {
  std::string_view program_name;
  const Program* program = nullptr;
  NodeId node = -1;
};

// A compiled module: its arena, its persistent values and its programs.
class Session {
 public:
  Session(Module module, Plan plan, CpuTarget& target);

  // The arena's pages are had in the background; returns when all are there, and throws Error where
  // the system does not give them.
  void wait_for_memory() { arena_.wait(); }

  Executable& program(const std::string& name);
  bool has_program(const std::string& name) const { return executables_.count(name) > 0; }
  // The node that a tag of a ThreadTrace stands for.
  TracedNode traced_node(int64_t tag) const;
  TensorRef persistent(int32_t index) const;
  TensorRef persistent(std::string_view name) const;
  const Module& module() const { return module_; }
  const Plan& plan() const { return plan_; }

  // Gives every parameter its initial value: a function of (seed, name, element) only. All other
  // persistent values become zero; run refresh() afterwards, or after a load.
  void initialise(uint64_t seed);
  // Makes low-precision copies of the parameters anew.
  void refresh();

 private:
  Module module_;
  Plan plan_;
  Arena arena_;
  std::unordered_map<std::string, std::unique_ptr<Executable>> executables_;
};

}  // namespace anneal
