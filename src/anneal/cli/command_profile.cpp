#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/command.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/device/cpu/rates.hpp"
#include "anneal/train/profile_files.hpp"
#include "anneal/train/signals.hpp"

namespace anneal {
namespace {

struct ProfileArguments {
  std::string config;
  std::vector<std::string> sets;
  std::string out;
  int64_t steps = 5;
  int64_t rows = 20;
};

void print_rows(const char* title, const std::vector<ProfileRow>& rows, const Profile& profile,
                int64_t threads, int64_t most) {
  std::printf("%-28s %7s %10s %6s %8s %8s %6s %6s %9s\n", title, "calls", "ms", "% step", "GFLOP/s",
              "GB/s", "% roof", "% idle", "MiB");
  size_t shown = std::min(rows.size(), static_cast<size_t>(most));
  for (size_t i = 0; i < shown; ++i) {
    const ProfileRow& row = rows[i];
    std::printf("%-28s %7.0f %10.3f %6.1f", row.name.c_str(), row.calls, row.seconds * 1e3,
                row.seconds / profile.step_seconds * 100);
    if (row.roofline_seconds > 0)
      std::printf(" %8.1f %8.1f %6.0f %6.0f %9.1f\n", row.cost.flops / row.seconds * 1e-9,
                  row.cost.bytes / row.seconds * 1e-9, row.roofline_seconds / row.seconds * 100,
                  row.idle_seconds / (row.seconds * static_cast<double>(threads)) * 100,
                  static_cast<double>(row.memory_bytes) / 0x1p20);
    else
      std::printf("\n");
  }
  if (shown < rows.size()) std::printf("… and %zu more\n", rows.size() - shown);
  std::printf("\n");
}

// Each of them is in the trace.
constexpr int64_t most_steps = 1000;

// Before anything is measured: the folder has to be there and take files.
void prepare_folder(const std::filesystem::path& out) {
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (!error && ::access(out.c_str(), W_OK) != 0) error = {errno, std::generic_category()};
  if (error)
    throw UsageError(str("[--out] cannot write to ", out.string(), ": ", error.message(),
                         " (name another folder)"));
}

ExitCode profile(const ProfileArguments& arguments) {
  if (arguments.steps < 1 || arguments.steps > most_steps || arguments.rows < 1)
    throw UsageError(
        str("[profile] expected --steps from 1 to ", most_steps, " and --rows of at least 1"));
  LoadedConfig loaded = load_config(arguments.config, arguments.sets, DataRule::optional);
  std::filesystem::path out = arguments.out.empty()
                                  ? std::filesystem::path("runs") / loaded.config.name
                                  : std::filesystem::path(arguments.out);
  prepare_folder(out);
  StopSignals signals;
  std::unique_ptr<Recording> recording;
  try {
    recording = std::make_unique<Recording>(loaded.config, arguments.steps);
  } catch (const UsageError& error) {
    throw UsageError(with_location(loaded, error.what()));
  }
  Profile p = summarise(*recording, measure_rates());
  const RunConfig& config = recording->config();
  int64_t threads = recording->trace().threads();
  std::printf(
      "%s, %s, %lld x %lld tokens, %lld threads: %.2f ms a step, %.2f without the profiler\n\n",
      config.name.c_str(), config.train.precision.c_str(),
      static_cast<long long>(config.train.batch), static_cast<long long>(config.model.context),
      static_cast<long long>(threads), recording->traced_seconds() * 1e3,
      recording->untraced_seconds() * 1e3);
  print_rows("op", p.ops, p, threads, arguments.rows);
  print_rows("scope", p.scopes, p, threads, arguments.rows);
  write_trace(*recording, out / "trace.json");
  write_file_atomically(out / "flame.svg", flame_graph_of(*recording));
  write_file_atomically(out / "memory.svg", memory_timeline_of(*recording));
  log_info(str("written: ", (out / "trace.json").string(), " (open it in ui.perfetto.dev), ",
               (out / "flame.svg").string(), ", ", (out / "memory.svg").string()));
  if (recording->trace().dropped() > 0)
    log_warning(str(recording->trace().dropped(), " spans did not fit into the recorder"));
  return ExitCode::ok;
}

}  // namespace

Command profile_command() {
  return {.name = "profile",
          .summary = "Run a few steps under the profiler and show where their time goes",
          .example = "profile my.toml --steps 5 --out runs/first",
          .setup = [](Arguments& a) {
            auto arguments = std::make_shared<ProfileArguments>();
            a.positional("CONFIG", arguments->config,
                         "The config, a TOML file; without data.train, random tokens are used");
            a.option("--set", "KEY=VALUE", arguments->sets,
                     "Override a key of the config: section.key=value; may be repeated");
            a.option("--steps", "N", arguments->steps, "Steps to record");
            a.option("--rows", "N", arguments->rows, "Rows of each table");
            a.option("--out", "DIR", arguments->out,
                     "Folder for trace.json, flame.svg and memory.svg (default: runs/ and the "
                     "config's name)");
            return [arguments] { return profile(*arguments); };
          }};
}

}  // namespace anneal
