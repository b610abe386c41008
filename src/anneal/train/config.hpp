#pragma once

#include <cstdint>
#include <string>

#include "anneal/data/config.hpp"
#include "anneal/model/adapters.hpp"
#include "anneal/model/config.hpp"
#include "anneal/optim/config.hpp"

namespace anneal {

struct TrainConfig {
  int64_t steps = 2000;
  int64_t batch = 32;                  // sequences a step, over all ranks and micro-batches
  int64_t micro_batch = 8;             // sequences a program run
  std::string precision = "fp32";      // fp32 | bf16 | fp16
  double loss_scale = 65536;           // fp16: at first
  int64_t loss_scale_interval = 2000;  // fp16: good steps until it doubles
  double clip = 1.0;                   // global norm; 0: off
  double clip_value = 0.0;             // each element; 0: off
  double label_smoothing = 0.0;
  double z_loss = 0.0;
  int64_t seed = 1;
  int64_t eval_every = 200;  // 0: off
  int64_t eval_batches = 20;
  int64_t sample_every = 500;  // 0: off
  std::string sample_prompt;
  std::string recompute = "none";  // none | cheap | attention | block
  bool fuse = true;
  bool operator==(const TrainConfig&) const = default;
};

struct ParallelConfig {
  int64_t threads = 0;  // 0: all cores
  int64_t shards = 0;   // logical shards of the batch; 0: the number of ranks at first launch
  bool operator==(const ParallelConfig&) const = default;
};

struct CheckpointConfig {
  int64_t every = 500;  // 0: only the last
  int64_t keep = 3;     // and the best by validation loss; 0: all
  bool operator==(const CheckpointConfig&) const = default;
};

struct MonitorConfig {
  int64_t log_every = 1;
  bool operator==(const MonitorConfig&) const = default;
};

// Everything that a run is, as the config file says it. cli/schema declares each key once.
struct RunConfig {
  std::string name = "run";
  ModelConfig model;
  LoraConfig lora;
  DataConfig data;
  TrainConfig train;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  ParallelConfig parallel;
  CheckpointConfig checkpoint;
  MonitorConfig monitor;
  bool operator==(const RunConfig&) const = default;
};

inline int64_t tokens_per_step(const RunConfig& config) {
  return config.train.batch * config.model.context;
}

}  // namespace anneal
