#include <iostream>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/cli/command_input.hpp"
#include "anneal/cli/run_source.hpp"
#include "anneal/monitor/report_page.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

struct ReportArguments {
  std::vector<std::string> folders;
  std::string out;
  bool json = false;
};

ExitCode report(const ReportArguments& arguments) {
  ReportPage page;
  for (const std::string& folder : arguments.folders) page.runs.push_back(load_run(folder));
  label_runs(page.runs);
  if (arguments.json) std::cout << report_json(page) << '\n';
  if (arguments.json && arguments.out.empty()) return ExitCode::ok;
  fs::path out = arguments.out;
  if (out.empty())
    out = page.runs.size() == 1 ? fs::path(arguments.folders[0]) / "report.html" : "report.html";
  check_output_file(out, "--out");
  write_file_atomically(out, report_html(page));
  log_info(str("written: ", out.string(), " (open it in a browser)"));
  return ExitCode::ok;
}

}  // namespace

Command report_command() {
  return {.name = "report",
          .summary = "Compare runs, or describe one, as a page with conclusions and curves",
          .example = "report runs/fp32 runs/bf16 --out comparison.html",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<ReportArguments>();
            a.positional("RUN_DIR", arguments->folders,
                         "Folders of runs; the others are compared with the first");
            a.option("--out", "FILE", arguments->out,
                     "The HTML page (default: report.html in the run's folder, in the current one "
                     "for several)");
            a.flag("--json", arguments->json,
                   "Print the numbers and sentences as JSON; the page is written only with --out");
            return [arguments] { return report(*arguments); };
          }};
}

}  // namespace anneal
