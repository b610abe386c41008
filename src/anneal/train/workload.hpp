#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "anneal/base/file.hpp"
#include "anneal/data/loader.hpp"
#include "anneal/data/prepare.hpp"
#include "anneal/train/engine.hpp"

namespace anneal {

// When the parts of one training step were done, as its caller sees them: times of now_ns().
struct StepTimes {
  int64_t begin = 0;
  int64_t fetched = 0;   // the batch is there
  int64_t computed = 0;  // forward, backward and the norm
  int64_t end = 0;       // the update
  double loss = 0;       // from before the update

  double data_seconds() const { return static_cast<double>(fetched - begin) * 1e-9; }
  double update_seconds() const { return static_cast<double>(end - computed) * 1e-9; }
  double seconds() const { return static_cast<double>(end - begin) * 1e-9; }
};

// The data of workloads: the config's, prepared into a temporary directory; for a config without
// data.train random tokens below model.vocab_size, enough for `steps` steps. Throws as training
// does.
class WorkloadData {
 public:
  WorkloadData(RunConfig config, int64_t steps);
  const PreparedData& prepared() const { return *prepared_; }

 private:
  TemporaryDirectory directory_;
  std::optional<PreparedData> prepared_;
};

// A config made ready to step without a run folder: what benchmarks and the profiler measure.
class Workload {
 public:
  static constexpr int64_t most_steps = 1'000'000;

  // Sets the number of threads. The target must outlive the workload. Throws as training does.
  // `before_batch`: see LoaderOptions.
  Workload(const RunConfig& config, CpuTarget& target, int64_t steps,
           std::function<void()> before_batch = {});
  // On data that several workloads share.
  Workload(RunConfig config, CpuTarget& target, std::shared_ptr<const WorkloadData> data,
           std::function<void()> before_batch = {});
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  // Throws Error with the code of an interruption once a StopSignals has seen one, so that the
  // temporary directory is removed.
  StepTimes step();
  const RunConfig& config() const { return config_; }  // resolved
  Session& session() { return engine_->session(); }
  int64_t planned_bytes() const { return planned_bytes_; }
  // Anonymous memory when data and threads were there and nothing was compiled yet.
  int64_t baseline_bytes() const { return baseline_bytes_; }

 private:
  RunConfig config_;
  std::shared_ptr<const WorkloadData> data_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<BatchLoader> loader_;
  int64_t planned_bytes_ = 0, baseline_bytes_ = 0;
  int64_t steps_done_ = 0;
};

// What the data alone decides of a config: the vocabulary's size, one logical shard, no evaluation
// without validation data, no samples without a tokenizer.
void resolve_from_data(RunConfig& config, const PreparedData& data);

}  // namespace anneal
