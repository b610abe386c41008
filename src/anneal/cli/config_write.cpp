#include "anneal/cli/config_write.hpp"

#include "anneal/base/error.hpp"
#include "anneal/base/hash.hpp"
#include "anneal/cli/schema.hpp"

namespace anneal {
namespace {

std::string choices_text(const Key& key, std::string_view separator) {
  std::string out;
  for (auto choice : key.choices) {
    if (!out.empty()) out += separator;
    out += choice.empty() ? "\"\"" : str(choice);
  }
  return out;
}

std::string comment(const Key& key) {
  auto choices = choices_text(key, " | ");
  return str(key.doc, choices.empty() ? "" : ": ", choices);
}

// What a table cell says of the accepted values.
std::string accepted(const Key& key) {
  auto choices = choices_text(key, ", ");
  return choices.empty() ? key.range.text() : choices;
}

}  // namespace

std::string to_toml(const RunConfig& config) {
  std::string out;
  for (const Section& section : config_sections()) {
    if (!section.name.empty()) out += str("\n[", section.name, "]\n");
    for (const Key& key : config_keys())
      if (key.section == section.name)
        out += str(key.name, " = ", key.value(config), "  # ", comment(key), "\n");
  }
  return out;
}

std::string config_hash(const RunConfig& config) {
  ContentHash hash;
  for (const Key& key : config_keys()) {
    auto line = str(key.full_name(), " = ", key.value(config), "\n");
    hash.update(line.data(), line.size());
  }
  return hash.hex();
}

std::string config_reference() {
  std::string out =
      "# Config reference\n\n"
      "A run is described by one TOML file; `--set section.key=value` on the command line replaces "
      "one of its values. Every key has a default, except `data.train`, and `model.hidden` for "
      "families other than gpt2 and gpt_neox. An unknown key, a value of the wrong type or out of "
      "range, and values that "
      "contradict "
      "each other are refused, with file, line and remedy, before anything is written. The "
      "resolved "
      "config, with every key, becomes `config.toml` in the run's folder. Keys marked * must not "
      "change when a run is resumed.\n\n"
      "This page is printed by `anneal docs config` from the declarations in "
      "`src/anneal/cli/schema_model.cpp` and `src/anneal/cli/schema_training.cpp`; change those, "
      "and "
      "print it again.\n";
  const RunConfig defaults;
  for (const Section& section : config_sections()) {
    out += section.name.empty() ? str("\n## Top level\n\n") : str("\n## [", section.name, "]\n\n");
    out += str(section.doc, "\n\n| key | type | default | accepted | unit | meaning |\n",
               "|---|---|---|---|---|---|\n");
    for (const Key& key : config_keys()) {
      if (key.section != section.name) continue;
      out +=
          str("| `", key.name, "`", key.fixed_on_resume ? " \\*" : "", " | ", key.type(), " | `",
              key.value(defaults), "` | ", accepted(key), " | ", key.unit, " | ", key.doc, " |\n");
    }
  }
  return out;
}

}  // namespace anneal
