#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "anneal/checkpoint/safetensors.hpp"

namespace anneal {

struct CheckpointInfo {
  std::filesystem::path dir;
  int64_t step = 0;
  std::optional<double> validation_loss;
  int64_t bytes = 0;    // of all files, the manifest aside
  std::string problem;  // why it cannot be used; "": nothing found
};

// All folders step-NNNNNNNN below `dir` (a run's checkpoints/) by increasing step. Manifest and
// sizes are checked, the contents aren't. Empty if `dir` is not there.
std::vector<CheckpointInfo> list_checkpoints(const std::filesystem::path& dir);

// What is wrong with the checkpoint in `dir`, all its files read and compared with the manifest's
// checksums; "" if nothing is.
std::string verify_checkpoint(const std::filesystem::path& dir);

// The newest checkpoint that verify_checkpoint finds nothing wrong with. For each newer one, what
// is wrong with it, path included, is added to `skipped_reasons` if that is given.
std::optional<CheckpointInfo> newest_valid_checkpoint(
    const std::filesystem::path& dir, std::vector<std::string>* skipped_reasons = nullptr);

// The files of a checkpoint or of any Hugging Face model directory.
class CheckpointReader {
 public:
  explicit CheckpointReader(std::filesystem::path dir) : dir_(std::move(dir)) {}

  const std::filesystem::path& dir() const { return dir_; }
  // Throws FormatError if the file is not valid safetensors, Error if it cannot be read.
  SafetensorsFile model() const;
  SafetensorsFile state() const;
  // Whether there is a file of this name, e.g. "tokenizer.json", "anneal_state/run.json".
  bool has(std::string_view name) const;
  // Its text, at most 1 GiB.
  std::string text(std::string_view name) const;

 private:
  std::filesystem::path dir_;
};

// Whether `dir` has adapters of a model, as PEFT lays them out, rather than a model.
bool holds_adapters(const std::filesystem::path& dir);

// The model directory that the user means by `path`: a run folder or its checkpoints/ (the newest
// valid checkpoint in it), a checkpoint (verified), any directory with config.json and
// model.safetensors or its index, or a folder of PEFT's adapters. Throws UsageError saying what was
// found instead.
std::filesystem::path resolve_model_directory(const std::filesystem::path& path);

}  // namespace anneal
