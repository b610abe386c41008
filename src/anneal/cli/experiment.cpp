#include "anneal/cli/experiment.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/child_process.hpp"
#include "anneal/cli/command_input.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/run_source.hpp"
#include "anneal/train/run_folder.hpp"
#include "anneal/train/signals.hpp"

namespace anneal {
namespace {

// Whether the folder holds the whole of the run already.
bool is_finished(const std::filesystem::path& folder, int64_t steps) {
  if (!std::filesystem::exists(RunFolder{folder}.metrics())) return false;
  RunRecord run = load_run(folder);
  return run.ended && !run.ends.empty() && run.ends.back().status == "done" &&
         run.ends.back().step == steps;
}

// Whatever is in a run's folder is of this very config.
void check_folder(const std::filesystem::path& folder, const LoadedConfig& loaded) {
  auto file = RunFolder{folder}.config();
  if (!std::filesystem::exists(file)) return;
  check_same_run(loaded, parse_config(read_file(file), file.string()).config, folder.string());
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

std::vector<std::string> all_sets(const Experiment& experiment, const Variant& variant) {
  std::vector<std::string> sets = experiment.sets;
  sets.insert(sets.end(), variant.sets.begin(), variant.sets.end());
  return sets;
}

std::vector<int64_t> check_variants(const Experiment& experiment,
                                    const std::vector<Variant>& variants) {
  std::vector<int64_t> steps;
  for (const Variant& variant : variants) {
    LoadedConfig loaded = load_config(experiment.config, all_sets(experiment, variant));
    check_folder(experiment.out / variant.name, loaded);
    steps.push_back(loaded.config.train.steps);
  }
  std::error_code error;
  std::filesystem::create_directories(experiment.out, error);
  check_output_file(experiment.out / "report.html", "--out");
  return steps;
}

std::vector<RunRecord> run_variants(const Experiment& experiment,
                                    const std::vector<Variant>& variants) {
  std::vector<int64_t> steps = check_variants(experiment, variants);
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
