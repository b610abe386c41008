#pragma once

#include <memory>
#include <string>
#include <vector>

#include "anneal/data/loader.hpp"
#include "anneal/passes/pass.hpp"
#include "anneal/runtime/executable.hpp"
#include "anneal/train/config.hpp"
#include "anneal/train/stepper.hpp"

namespace anneal {

// A language model compiled for training: runs the programs that the passes made, in the order that
// accumulation and logical shards ask for.
struct EngineOptions {
  bool train = true;
  bool evaluate = true;
  bool generate = false;
  int64_t sequence = 0;                  // tokens a sequence; 0: the model's context
  std::vector<int64_t> score_lengths{};  // of the programs "score.T", see language_model.hpp
  PassObserver observe{};
};

// The module of a config before any pass.
Module build_module(const RunConfig& config, const EngineOptions& options);
// What a config asks of the passes over its module.
PassOptions pass_options(const RunConfig& config, const Module& module);

// The learning rate of the update that follows `step` finished ones of a run.
double learning_rate(const RunConfig& config, int64_t step);

struct EvaluationResult {
  double loss = 0;
  double accuracy = 0;
  double perplexity() const;
  double total_nll = 0;  // summed over targets, natural logarithm
  int64_t targets = 0;
};

class Engine {
 public:
  // The config is resolved (vocabulary size, shards). The target must outlive the engine.
  Engine(const RunConfig& config, const EngineOptions& options, CpuTarget& target);
  // With a session that was compiled elsewhere, from build_module(config, …).
  Engine(const RunConfig& config, Session session);

  // The stepper refers to the session in here.
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Session& session() { return session_; }
  const RunConfig& config() const { return config_; }

  // Loss (mean over the valid targets) and gradients of one global batch. Throws Error if no target
  // of the batch counts.
  GradientResult gradients(const Batch& batch);
  Stepper& stepper() { return stepper_; }
  // Mean loss over the reader's batches, whose size is the micro-batch. `on_batch` is called after
  // each with its targets.
  EvaluationResult evaluate(EvaluationReader& reader,
                            const std::function<void(const Batch&)>& on_batch = {});

 private:
  void fill(Executable& program, const Batch& batch, int64_t first_row, double inv_valid);

  RunConfig config_;
  Session session_;
  Stepper stepper_;
};

}  // namespace anneal
