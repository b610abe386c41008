// The only file that knows the TOML library.

#include <toml++/toml.h>
#include <algorithm>
#include <optional>

#include "anneal/base/error.hpp"
#include "anneal/cli/config_file.hpp"
#include "anneal/cli/config_syntax.hpp"
#include "anneal/cli/config_value.hpp"

namespace anneal {
namespace {

std::string describe(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a section";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    default:
      return "another value";
  }
}

bool takes_list(const Key& key) {
  RunConfig config;
  Field field = key.field(config);
  return std::holds_alternative<std::vector<std::string>*>(field) ||
         std::holds_alternative<ValidationField>(field);
}

void assign_node(const Key& key, RunConfig& config, const toml::node& node,
                 const std::string& where) {
  if (auto integer = node.as_integer()) {
    assign(key, config, integer->get(), where);
  } else if (auto number = node.as_floating_point()) {
    assign(key, config, number->get(), where);
  } else if (auto boolean = node.as_boolean()) {
    assign(key, config, boolean->get(), where);
  } else if (auto text = node.as_string()) {
    assign(key, config, text->get(), where);
  } else if (auto list = node.as_array(); list && takes_list(key)) {
    std::vector<std::string> values;
    for (const auto& item : *list) {
      auto value = item.value_exact<std::string>();
      if (!value) refuse_type(key, "a list of something else", where);
      values.push_back(*value);
    }
    assign(key, config, values, where);
  } else {
    refuse_type(key, describe(node), where);
  }
}

// The entries of a table in the order of the file, so that the first mistake is reported.
struct Entry {
  std::string name;
  std::string where;
  const toml::node* node;
};

std::vector<Entry> entries_of(const toml::table& table, const std::string& file) {
  struct Placed {
    toml::source_position at;
    Entry entry;
  };
  std::vector<Placed> placed;
  for (auto&& [key, node] : table) {
    auto at = key.source().begin;
    placed.push_back({at, {std::string(key.str()), str(file, ":", at.line), &node}});
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const Placed& a, const Placed& b) { return a.at < b.at; });
  std::vector<Entry> entries;
  for (auto& item : placed) entries.push_back(std::move(item.entry));
  return entries;
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(config_sections(), [&](const Section& section) {
    return !section.name.empty() && section.name == name;
  });
}

[[noreturn]] void refuse_section_as_value(const std::string& name, const std::string& where) {
  throw UsageError(str(message_head(where, name), "is a section, not a value (set its keys: ",
                       where == "--set" ? "--set " : "", name, ".KEY = VALUE)"));
}

void set_entry(LoadedConfig& loaded, std::string_view section, const Entry& entry) {
  const Key* key = find_key(section.empty() ? entry.name : str(section, ".", entry.name));
  if (!key || key->section != section) refuse_unknown_key(section, entry.name, entry.where);
  assign_node(*key, loaded.config, *entry.node, entry.where);
  loaded.where[key->full_name()] = entry.where;
}

// The value of an override as TOML, if it is that: exactly one value on one line.
std::optional<toml::table> as_toml(std::string_view value) {
  if (value.find('\n') != std::string_view::npos) return std::nullopt;
  check_nesting(value, "--set");
  try {
    return toml::parse(str("value = ", value));
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

void set_override(LoadedConfig& loaded, const std::string& text) {
  auto equals = text.find('=');
  auto name = trimmed(std::string_view(text).substr(0, equals));
  if (equals == std::string::npos || name.empty())
    throw UsageError(str("[--set] expected section.key=value, got ", toml_string(text),
                         " (for example --set train.steps=100)"));
  auto value = trimmed(std::string_view(text).substr(equals + 1));
  const std::string where = "--set";
  const Key* key = find_key(name);
  if (!key) {
    if (is_section(name)) refuse_section_as_value(name, where);
    auto dot = name.find('.');
    auto section = dot == std::string::npos ? "" : name.substr(0, dot);
    if (!section.empty() && !is_section(section)) refuse_unknown_section(section, where);
    refuse_unknown_key(section, dot == std::string::npos ? name : name.substr(dot + 1), where);
  }
  auto is_text = [&] {
    RunConfig config;
    return std::holds_alternative<std::string*>(key->field(config));
  }();
  auto parsed = as_toml(value);
  const toml::node* node = parsed ? parsed->get("value") : nullptr;
  // Text needs no quotes here: a name such as 2024-01-01 or true is the text that it is.
  if (!node || (is_text && !node->is_string())) {
    parsed = as_toml(toml_string(value));
    if (!parsed)
      throw UsageError(
          str(message_head(where, name), "the value is not UTF-8 (write it in UTF-8)"));
    node = parsed->get("value");
  }
  if (auto single = node->as_string(); single && takes_list(*key))
    assign(*key, loaded.config, std::vector<std::string>{single->get()}, where);
  else
    assign_node(*key, loaded.config, *node, where);
  loaded.where[key->full_name()] = where;
}

}  // namespace

LoadedConfig parse_config(std::string_view text, const std::string& file,
                          const std::vector<std::string>& overrides) {
  LoadedConfig loaded;
  loaded.file = file;
  check_nesting(text, file);
  toml::table root;
  try {
    root = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    refuse_syntax(text, file, error.source().begin.line, error.description());
  }
  for (const Entry& entry : entries_of(root, file)) {
    const toml::table* section = entry.node->as_table();
    if (is_section(entry.name)) {
      if (!section) refuse_section_as_value(entry.name, entry.where);
      for (const Entry& inner : entries_of(*section, file)) set_entry(loaded, entry.name, inner);
    } else if (section && !find_key(entry.name)) {
      refuse_unknown_section(entry.name, entry.where);
    } else {
      set_entry(loaded, "", entry);
    }
  }
  for (const auto& override_text : overrides) set_override(loaded, override_text);
  return loaded;
}

}  // namespace anneal
