#include "anneal/cli/command.hpp"
#include "anneal/cli/plan_report.hpp"
#include "anneal/cli/schedule_report.hpp"

namespace anneal {
namespace {

struct PlanArguments {
  std::string config;
  std::vector<std::string> sets;
  PlanReportOptions report;
  bool schedule = false;
  std::string svg;
};

}  // namespace

Command plan_command() {
  return {.name = "plan",
          .summary = "Show the memory and work that a config needs, without training",
          .example = "plan my.toml --set train.micro_batch=4",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<PlanArguments>();
            a.positional("CONFIG", arguments->config, "The config, a TOML file (docs/config.md)");
            a.option("--set", "KEY=VALUE", arguments->sets,
                     "Override a key of the config: section.key=value; may be repeated");
            a.flag("--json", arguments->report.json, "Print JSON");
            a.flag("--print-program", arguments->report.print_program,
                   "Print the programs as they will run");
            a.option("--print-after", "PASS", arguments->report.print_after,
                     "Print the programs as this pass leaves them");
            a.flag("--schedule", arguments->schedule,
                   "Print the learning rate over the steps instead");
            a.option("--svg", "FILE", arguments->svg, "Draw the schedule to FILE");
            return [arguments] {
              bool printing = arguments->report.json || arguments->report.print_program ||
                              !arguments->report.print_after.empty();
              bool schedule = arguments->schedule || !arguments->svg.empty();
              if (schedule && printing)
                throw UsageError(
                    "[--schedule] does not go with --json or printed programs (ask for one at a "
                    "time)");
              if (arguments->report.json &&
                  (arguments->report.print_program || !arguments->report.print_after.empty()))
                throw UsageError(
                    "[--json] does not go with --print-program or --print-after (ask for "
                    "one at a time)");
              auto loaded = load_config(arguments->config, arguments->sets, DataRule::optional);
              if (schedule)
                print_schedule(loaded, arguments->svg);
              else
                print_plan(loaded, arguments->report);
              return ExitCode::ok;
            };
          }};
}

}  // namespace anneal
