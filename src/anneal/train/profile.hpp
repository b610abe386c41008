#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "anneal/device/cpu/thread_trace.hpp"
#include "anneal/train/step_cost.hpp"
#include "anneal/train/workload.hpp"

namespace anneal {

// Some training steps as a ThreadTrace recorded them.
class Recording {
 public:
  struct Step {
    StepTimes times;
    std::span<const ThreadTrace::Span> nodes;
  };

  // Compiles the config and runs `steps` steps without and as many with the recorder, in turn,
  // after two that do not count. Throws as training does.
  Recording(const RunConfig& config, int64_t steps, std::function<void()> before_batch = {});

  const RunConfig& config() const { return workload_.config(); }  // resolved
  const Session& session() const { return session_; }
  CpuTarget& target() { return target_; }
  const ThreadTrace& trace() const { return *trace_; }
  const std::vector<Step>& steps() const { return steps_; }
  const TracedNode& node(int64_t tag) const { return nodes_.at(static_cast<size_t>(tag)); }
  // Medians.
  double traced_seconds() const { return traced_seconds_; }
  double untraced_seconds() const { return untraced_seconds_; }

 private:
  CpuTarget target_;
  Workload workload_;
  const Session& session_;
  std::unique_ptr<ThreadTrace> trace_;
  std::vector<Step> steps_;
  std::vector<TracedNode> nodes_;  // by tag
  double traced_seconds_ = 0, untraced_seconds_ = 0;
};

// The parallel regions of one node after the other, in the order in which they ran. The thread that
// starts the nodes, 0, works outside of regions too, on what is not split; the others wait then.
class NodeRegions {
 public:
  explicit NodeRegions(const ThreadTrace& trace)
      : trace_(trace), of_(static_cast<size_t>(trace.threads())) {}
  void advance(const ThreadTrace::Span& node);

  std::span<const ThreadTrace::Span> of(int thread) const;
  // When all threads had done their part of thread 0's region i: until then thread 0 waits.
  int64_t joined(size_t i) const;
  // Summed over threads, ns.
  int64_t idle() const;

 private:
  struct Range {
    size_t first = 0, last = 0;
  };
  const ThreadTrace& trace_;
  ThreadTrace::Span node_;
  std::vector<Range> of_;
};

// Nodes that have something in common, or a wait. Everything is that of one step: the mean over the
// recorded ones.
struct ProfileRow {
  std::string name;
  double calls = 0;
  double seconds = 0;           // of the thread that starts the nodes
  double idle_seconds = 0;      // summed over threads: at barriers, or while one thread works alone
  double roofline_seconds = 0;  // what this machine would need at least
  Cost cost;
  int64_t memory_bytes = 0;  // outputs and workspace
};

struct Profile {
  double step_seconds = 0;  // mean of the recorded steps
  double model_flops = 0;
  MachineRates rates;
  // The longest first. `ops` holds the waits too: for data, and between programs; it explains the
  // whole step.
  std::vector<ProfileRow> ops;     // "matmul backward"
  std::vector<ProfileRow> scopes;  // "h.3.attn"
};

Profile summarise(Recording& recording, const MachineRates& rates);

// How the rows of waits are named.
inline constexpr const char* data_wait = "(waiting for data)";
inline constexpr const char* between_programs = "(between programs)";

}  // namespace anneal
