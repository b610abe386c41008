#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "anneal/base/error.hpp"
#include "anneal/train/config.hpp"

namespace anneal {

struct TrainerOptions {
  std::filesystem::path out;  // the run's folder
  bool resume = false;
  // The text of config.toml once everything is resolved, and its hash: the room above owns the
  // format.
  std::function<std::string(const RunConfig&)> config_text;
  std::function<std::string(const RunConfig&)> config_hash;
  // Called with the text of the config that the checkpoint to resume was made with; throws
  // UsageError where it does not agree with the run's.
  std::function<void(const RunConfig& now, const std::string& saved_text)> check_resume;
};

// A whole run: prepares the data, plans and claims the memory, trains, evaluates, samples and
// saves, as the config says. Returns ok, or interrupted after SIGINT or SIGTERM (a checkpoint is
// saved then). Throws UsageError where the folder already holds checkpoints, another process trains
// in it, or the config does not fit the data or the checkpoint to resume: checkpoints and metrics
// are untouched then. Throws DivergedError when loss or gradients are not finite (before the
// update, so the last checkpoint is good).
ExitCode run_training(RunConfig config, const TrainerOptions& options);

}  // namespace anneal
