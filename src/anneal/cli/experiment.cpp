#include "anneal/cli/experiment.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/child_process.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/run_source.hpp"
#include "anneal/train/run_folder.hpp"
#include "anneal/train/signals.hpp"

namespace anneal {
namespace {

std::vector<std::string> all_sets(const Experiment& experiment, const Variant& variant) {
  std::vector<std::string> sets = experiment.sets;
  sets.insert(sets.end(), variant.sets.begin(), variant.sets.end());
  return sets;
}

// Whether the folder holds the whole of a run already.
bool is_finished(const std::filesystem::path& folder, int64_t steps) {
  try {
    RunRecord run = load_run(folder);
    return run.ended && !run.ends.empty() && run.ends.back().status == "done" &&
           run.ends.back().step == steps;
  } catch (const Error&) {
    return false;
  }
}

void train(const Experiment& experiment, const Variant& variant) {
  auto folder = experiment.out / variant.name;
  std::vector<std::string> words = {"train", experiment.config, "--out", folder.string(),
                                    "--resume"};
  for (const auto& set : all_sets(experiment, variant)) {
    words.push_back("--set");
    words.push_back(set);
  }
  int code = run_self(words);
  if (StopSignals::requested() || code == static_cast<int>(ExitCode::interrupted))
    throw Error(str("interrupted in run ", variant.name, "; the same command goes on with it"),
                ExitCode::interrupted);
  if (code == static_cast<int>(ExitCode::diverged)) {
    log_warning(str("run ", variant.name, " diverged"));
  } else if (code != 0) {
    throw Error(str("run ", variant.name, " ended with code ", code, ", see ",
                    (folder / "log.txt").string()));
  }
}

}  // namespace

std::vector<RunRecord> run_variants(const Experiment& experiment,
                                    const std::vector<Variant>& variants) {
  std::vector<int64_t> steps;
  for (const Variant& variant : variants)
    steps.push_back(
        load_config(experiment.config, all_sets(experiment, variant)).config.train.steps);
  std::vector<RunRecord> runs;
  for (size_t i = 0; i < variants.size(); ++i) {
    auto folder = experiment.out / variants[i].name;
    if (is_finished(folder, steps[i])) {
      log_info(str("run ", i + 1, " of ", variants.size(), ": ", variants[i].name, " is there"));
    } else {
      log_info(str("run ", i + 1, " of ", variants.size(), ": ", variants[i].name));
      train(experiment, variants[i]);
    }
    runs.push_back(load_run(folder));
  }
  label_runs(runs);
  return runs;
}

}  // namespace anneal
