#include "anneal/base/error.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/schema.hpp"
#include "anneal/optim/schedule.hpp"

namespace anneal {
namespace {

// Integers for which 0 means "derive it": a saved config holds what was derived.
bool is_left_open(const Key& key, RunConfig config) {
  Field field = key.field(config);
  auto number = std::get_if<int64_t*>(&field);
  auto name = key.full_name();
  return number && **number == 0 && (name == "model.vocab_size" || name == "parallel.shards");
}

// The horizon that schedule.horizon = 0 stands for, in schedule.unit.
int64_t horizon_of(const RunConfig& config) {
  bool tokens = config.schedule.unit == "tokens";
  return config.train.steps * (tokens ? tokens_per_step(config) : 1);
}

}  // namespace

void check_same_run(const LoadedConfig& now, const RunConfig& saved, const std::string& folder) {
  for (const Key& key : config_keys()) {
    auto name = key.full_name();
    if (is_left_open(key, now.config) || name == "name" || name == "parallel.threads" ||
        key.section == "monitor")
      continue;
    auto mine = key.value(now.config), theirs = key.value(saved);
    // Switched off where the data leave nothing to evaluate or to sample with.
    bool off = theirs == "0" && (name == "train.eval_every" || name == "train.sample_every");
    if (mine == theirs || off) continue;
    throw UsageError(str("[", now.at(name), "] the run in ", folder, " has ", theirs, ", got ",
                         mine, " (set it back, or name another folder with --out)"));
  }
}

void check_resume(const LoadedConfig& now, const RunConfig& saved) {
  for (const Key& key : config_keys()) {
    if (!key.fixed_on_resume || is_left_open(key, now.config)) continue;
    auto mine = key.value(now.config), theirs = key.value(saved);
    if (mine == theirs) continue;
    throw UsageError(str("[", now.at(key.full_name()), "] expected ", theirs,
                         ", which the checkpoint was made with, got ", mine,
                         " (set it back, or start a new run in another folder)"));
  }
  if ((now.config.optimizer.momentum != 0) != (saved.optimizer.momentum != 0))
    throw UsageError(str("[", now.at("optimizer.momentum"), "] expected ",
                         saved.optimizer.momentum == 0 ? "0" : "a momentum above 0",
                         ", as the checkpoint was made with, got ", now.config.optimizer.momentum,
                         " (the state of the optimizer is another with and without it)"));
  if (now.config.train.steps != saved.train.steps && follows_train_steps(now.config.schedule))
    throw UsageError(str("[", now.at("train.steps"), "] expected ", saved.train.steps,
                         ", which the checkpoint was made with, got ", now.config.train.steps,
                         ": the learning rates of all steps would change (set schedule.horizon to ",
                         horizon_of(saved), " to keep them, or set train.steps back)"));
}

}  // namespace anneal
