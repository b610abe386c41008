#pragma once

#include <filesystem>
#include <memory>

#include "anneal/train/engine.hpp"
#include "anneal/train/model_files.hpp"

namespace anneal {

// A model directory with its weights in memory, compiled for use rather than for training.
struct LoadedModel {
  ModelDirectory directory;
  CpuTarget target;
  std::unique_ptr<Engine> engine;
};

struct LoadModelOptions {
  bool generate = false;
  int64_t context = 0;  // tokens that generation has room for, see limit_context; 0: the model's
  bool evaluate = false;
  int64_t micro_batch = 1;               // of evaluation
  int64_t sequence = 0;                  // tokens of each sequence of evaluation; 0: the context
  std::vector<int64_t> score_lengths{};  // of the programs "score.T"
  std::string precision = "fp32";
};

// A model that is to read no more than this many tokens, so that its caches hold no more. Models
// with learned positions keep their context.
void limit_context(ModelConfig& config, int64_t tokens);

// Throws UsageError naming --precision unless it is fp32, bf16 or fp16.
void check_precision_option(const std::string& precision);

// Throws UsageError where adapters do not fit the model below them.
std::unique_ptr<LoadedModel> load_model(ModelDirectory directory, const LoadModelOptions& options);

}  // namespace anneal
