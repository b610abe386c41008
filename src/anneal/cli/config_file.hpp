#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/train/config.hpp"

namespace anneal {

// A config and, for every key that the user gave, where: "my.toml:12" or "--set".
struct LoadedConfig {
  RunConfig config;
  std::string file;
  std::map<std::string, std::string, std::less<>> where;

  bool is_set(std::string_view key) const { return where.find(key) != where.end(); }
  // For the head of a message: "my.toml:12: train.batch"; "my.toml: train.batch" for a default.
  std::string at(std::string_view key) const;
};

// Whether a command needs training data, or is content with model.vocab_size.
enum class DataRule : uint8_t { required, optional };

// What every command that takes a CONFIG calls: parses the file and the overrides
// ("section.key=value", the value in TOML or a bare string), checks each value and every
// combination (config_check.hpp), looks for the files it names, and fills in what is derived.
// Throws UsageError naming key, file:line and the fix. Reads nothing but the config, and writes
// nothing.
LoadedConfig load_config(const std::filesystem::path& path,
                         const std::vector<std::string>& overrides = {},
                         DataRule data = DataRule::required);

// The first step of load_config: keys, types, ranges and choices. `file` is for messages.
LoadedConfig parse_config(std::string_view text, const std::string& file,
                          const std::vector<std::string>& overrides = {});

}  // namespace anneal
