#include "anneal/base/error.hpp"
#include "anneal/cli/config_check.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/config_write.hpp"

// The text up to the first zero byte is a config, what follows an override for --set: refused with
// a UsageError, or a config that is written as TOML which reads as the same config again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace anneal;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view text = input.substr(0, input.find('\0'));
  std::vector<std::string> overrides;
  if (text.size() < input.size()) overrides.emplace_back(input.substr(text.size() + 1));
  try {
    LoadedConfig loaded = parse_config(text, "fuzz.toml", overrides);
    auto check_text = [](const RunConfig& config) {
      if (parse_config(to_toml(config), "again.toml").config != config) __builtin_trap();
    };
    check_text(loaded.config);
    check_config(loaded);
    resolve(loaded.config);
    check_text(loaded.config);
  } catch (const UsageError&) {
  }
  return 0;
}
