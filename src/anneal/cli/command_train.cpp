#include <filesystem>

#include "anneal/cli/command.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/config_write.hpp"
#include "anneal/cli/plan_report.hpp"
#include "anneal/train/memory_plan.hpp"
#include "anneal/train/run_folder.hpp"
#include "anneal/train/trainer.hpp"

namespace anneal {
namespace {

struct TrainArguments {
  std::string config;
  std::vector<std::string> sets;
  std::string out;
  bool resume = false;
  bool dry_run = false;
};

ExitCode train(const TrainArguments& arguments) {
  LoadedConfig loaded = load_config(arguments.config, arguments.sets);
  TrainerOptions options;
  options.out = arguments.out.empty() ? std::filesystem::path("runs") / loaded.config.name
                                      : std::filesystem::path(arguments.out);
  options.resume = arguments.resume;
  RunFolder{options.out}.check_free(arguments.resume);
  if (arguments.dry_run) {
    check_fits(loaded.config.model);
    print_plan(loaded, {});
    return ExitCode::ok;
  }
  options.config_text = [](const RunConfig& config) { return to_toml(config); };
  options.config_hash = [](const RunConfig& config) { return config_hash(config); };
  options.check_resume = [&loaded](const RunConfig& now, const std::string& saved_text) {
    LoadedConfig current = loaded;
    current.config = now;
    check_resume(current, parse_config(saved_text, "the checkpoint's config.toml").config);
  };
  try {
    return run_training(loaded.config, options);
  } catch (const UsageError& error) {
    throw UsageError(with_location(loaded, error.what()));
  }
}

}  // namespace

Command train_command() {
  return {.name = "train",
          .summary = "Train a language model as a config file says",
          .example = "train my.toml --set train.steps=500 --out runs/first",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<TrainArguments>();
            a.positional("CONFIG", arguments->config, "The config, a TOML file (docs/config.md)");
            a.option("--set", "KEY=VALUE", arguments->sets,
                     "Override a key of the config: section.key=value; may be repeated");
            a.option("--out", "DIR", arguments->out,
                     "Folder of the run (default: runs/ and the config's name)");
            a.flag("--resume", arguments->resume,
                   "Continue from the newest valid checkpoint in the folder");
            a.flag("--dry-run", arguments->dry_run,
                   "Check everything, print the plan, write nothing");
            return [arguments] { return train(*arguments); };
          }};
}

}  // namespace anneal
