#include "anneal/cli/config_file.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/cli/config_check.hpp"

namespace anneal {
namespace {

// Far above any config; keeps a wrong path from reading a whole data set into memory.
constexpr int64_t largest_config = 1 << 20;

std::string read_config(const std::filesystem::path& path) {
  auto head = str("[", path.string(), "] ");
  std::error_code error;
  auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found)
    throw UsageError(str(head, "there is no such config file (check the path; a config is TOML)"));
  if (std::filesystem::is_directory(status)) {
    auto inside = path / "config.toml";
    throw UsageError(
        str(head, "is a directory, expected a config file (name a TOML file",
            std::filesystem::exists(inside, error) ? ", such as " + inside.string() : "", ")"));
  }
  try {
    return read_file(path, largest_config);
  } catch (const FormatError&) {
    throw UsageError(str(head, "is larger than 1 MiB, so no config (name a TOML file)"));
  } catch (const Error& reason) {
    throw UsageError(str(reason.what(), " (give a config file that can be read)"));
  }
}

}  // namespace

std::string LoadedConfig::at(std::string_view key) const {
  auto found = where.find(key);
  return str(found == where.end() ? file : found->second, ": ", key);
}

LoadedConfig load_config(const std::filesystem::path& path,
                         const std::vector<std::string>& overrides, DataRule data) {
  auto loaded = parse_config(read_config(path), path.string(), overrides);
  adopt_recommended(loaded);
  check_config(loaded, data);
  check_config_files(loaded);
  resolve(loaded.config);
  return loaded;
}

}  // namespace anneal
