#include "anneal/cli/run_source.hpp"

#include "anneal/base/file.hpp"
#include "anneal/base/log.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/schema.hpp"
#include "anneal/train/run_folder.hpp"

namespace anneal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t largest_config = 1 << 24;  // bytes; far beyond what a run writes

// Every key of the run's config. Without a readable one the metrics are still worth a report.
void take_settings(const RunFolder& folder, RunSource& source) {
  const std::string path = folder.config().string();
  try {
    if (!fs::is_regular_file(folder.config())) throw UsageError(str("[", path, "] is missing"));
    const LoadedConfig loaded = parse_config(read_file(folder.config(), largest_config), path);
    source.name = loaded.config.name;
    for (const Key& key : config_keys())
      source.settings.emplace_back(key.full_name(), key.value(loaded.config));
  } catch (const Error& error) {
    source.notes.push_back(str("Settings are not known: ", error.what(), "."));
    log_warning(str("report without settings: ", error.what()));
  }
}

}  // namespace

RunRecord load_run(const fs::path& path) {
  const RunFolder folder{path};
  if (!fs::is_directory(folder.root))
    throw UsageError(str("[", path.string(),
                         "] there is no such folder (name the folder of a run, which ",
                         "holds metrics.jsonl)"));
  RunSource source;
  source.folder = path.string();
  take_settings(folder, source);
  for (const char* name : {"trace.json", "flame.svg", "memory.svg"})
    if (fs::exists(folder.root / name))
      source.notes.push_back(str((folder.root / name).string(),
                                 " shows where the time or the memory of a step goes "
                                 "(anneal profile wrote it)."));
  return read_run(std::move(source), folder.metrics());
}

}  // namespace anneal
