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
  bool evaluate = false;
  int64_t micro_batch = 1;               // of evaluation
  std::vector<int64_t> score_lengths{};  // of the programs "score.T"
  std::string precision = "fp32";
};

// `path`: a model directory, a checkpoint or a run folder.
std::unique_ptr<LoadedModel> load_model(const std::filesystem::path& path,
                                        const LoadModelOptions& options);

}  // namespace anneal
