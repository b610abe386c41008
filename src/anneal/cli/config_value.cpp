#include "anneal/cli/config_value.hpp"

#include <cmath>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

std::string quoted_list(const std::vector<std::string_view>& words, std::string_view last = ", ") {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? last : ", ";
    out += toml_string(words[i]);
  }
  return out;
}

// At most some 60 bytes of a value, cut between characters.
std::string shortened(std::string text) {
  constexpr size_t most = 60;
  if (text.size() <= most) return text;
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

[[noreturn]] void refuse(const Key& key, const std::string& where, std::string_view got,
                         std::string_view fix) {
  throw UsageError(str(message_head(where, key.full_name()), "expected ", expected_text(key),
                       ", got ", got, " (", fix, ")"));
}

// What to write instead of a value of the wrong type.
std::string fix_for(const Key& key, std::string_view got_string) {
  RunConfig config;
  Field field = key.field(config);
  if (std::holds_alternative<int64_t*>(field)) return "write a whole number, without quotes";
  if (std::holds_alternative<double*>(field)) return "write a number, without quotes";
  if (std::holds_alternative<bool*>(field)) return "write true or false, without quotes";
  if (std::holds_alternative<std::string*>(field)) return "write text in double quotes";
  std::string example = toml_string(got_string.empty() ? "FILE" : got_string);
  if (std::holds_alternative<ValidationField>(field))
    return str("write a fraction such as 0.05, or a list: [", example, "]");
  return str("write a list: [", example, "]");
}

void check_range(const Key& key, double value, const std::string& got, const std::string& where) {
  if (key.range.contains(value)) return;
  auto limit = [](double bound) {
    return bound == std::floor(bound) ? str(static_cast<int64_t>(bound)) : toml_number(bound);
  };
  std::string fix = value < key.range.min || (key.range.min_excluded && value == key.range.min)
                        ? str("raise it ", key.range.min_excluded ? "above " : "to ",
                              limit(key.range.min), key.range.min_excluded ? "" : " or more")
                        : str("lower it ", key.range.max_excluded ? "below " : "to ",
                              limit(key.range.max), key.range.max_excluded ? "" : " or less");
  refuse(key, where, got, fix);
}

}  // namespace

std::string message_head(std::string_view where, std::string_view key) {
  return str("[", where, ": ", key, "] ");
}

std::string expected_text(const Key& key) {
  if (!key.choices.empty()) return "one of " + quoted_list(key.choices);
  auto type = key.type();
  std::string_view article = type == "true or false" ? "" : type == "integer" ? "an " : "a ";
  auto range = key.range.text();
  return str(article, type, range.empty() ? "" : ", ", range);
}

void assign(const Key& key, RunConfig& config, int64_t value, const std::string& where) {
  Field field = key.field(config);
  if (auto number = std::get_if<int64_t*>(&field)) {
    check_range(key, static_cast<double>(value), str(value), where);
    **number = value;
  } else if (std::holds_alternative<double*>(field) ||
             std::holds_alternative<ValidationField>(field)) {
    assign(key, config, static_cast<double>(value), where);
  } else if (std::holds_alternative<std::string*>(field)) {
    refuse(key, where, str("the number ", value), str("write \"", value, "\""));
  } else {
    refuse(key, where, str("the number ", value), fix_for(key, ""));
  }
}

void assign(const Key& key, RunConfig& config, double value, const std::string& where) {
  Field field = key.field(config);
  auto got = toml_number(value);
  double* target = nullptr;
  if (auto number = std::get_if<double*>(&field)) target = *number;
  if (auto choice = std::get_if<ValidationField>(&field)) {
    target = choice->fraction;
    choice->files->clear();
  }
  if (!target) refuse(key, where, str("the number ", got), fix_for(key, ""));
  if (!std::isfinite(value)) refuse(key, where, got, "write a finite number");
  check_range(key, value, got, where);
  *target = value;
}

void assign(const Key& key, RunConfig& config, bool value, const std::string& where) {
  Field field = key.field(config);
  auto flag = std::get_if<bool*>(&field);
  if (!flag) refuse(key, where, value ? "true" : "false", fix_for(key, ""));
  **flag = value;
}

void assign(const Key& key, RunConfig& config, const std::string& value, const std::string& where) {
  Field field = key.field(config);
  auto text = std::get_if<std::string*>(&field);
  if (!text)
    refuse(key, where, "the string " + shortened(toml_string(value)),
           fix_for(key, value.size() <= 60 ? value : ""));
  bool known = key.choices.empty();
  for (auto choice : key.choices) known = known || choice == value;
  if (!known) {
    std::vector<std::string> choices(key.choices.begin(), key.choices.end());
    auto nearest = nearest_word(value, choices.data(), choices.size());
    throw UsageError(str(message_head(where, key.full_name()), shortened(toml_string(value)),
                         " is not available (",
                         nearest.empty() ? "" : str("did you mean ", toml_string(nearest), "? "),
                         "choose ", quoted_list(key.choices, " or "), ")"));
  }
  **text = value;
}

void assign(const Key& key, RunConfig& config, const std::vector<std::string>& value,
            const std::string& where) {
  Field field = key.field(config);
  std::vector<std::string>* target = nullptr;
  if (auto list = std::get_if<std::vector<std::string>*>(&field)) target = *list;
  if (auto choice = std::get_if<ValidationField>(&field)) {
    target = choice->files;
    *choice->fraction = 0;
  }
  if (!target) refuse(key, where, "a list", fix_for(key, ""));
  for (const auto& item : value)
    if (item.empty()) refuse(key, where, "an empty string in the list", "name a file or remove it");
  *target = value;
}

void refuse_type(const Key& key, std::string_view got, const std::string& where) {
  refuse(key, where, got, fix_for(key, ""));
}

void refuse_unknown_key(std::string_view section, std::string_view name, const std::string& where) {
  auto hint = suggest_key(section, name);
  if (hint.empty()) {
    std::vector<std::string_view> names;
    for (const Key& key : config_keys())
      if (key.section == section) names.push_back(key.name);
    hint = section.empty() ? "above all sections there is only "
                           : str("the keys of ", section, " are ");
    for (size_t i = 0; i < names.size(); ++i) hint += str(i ? ", " : "", names[i]);
  }
  throw UsageError(str(message_head(where, str(section, section.empty() ? "" : ".", name)),
                       "unknown key (", hint, ")"));
}

void refuse_unknown_section(std::string_view name, const std::string& where) {
  std::vector<std::string> names;
  for (const Section& section : config_sections())
    if (!section.name.empty()) names.emplace_back(section.name);
  auto nearest = nearest_word(name, names.data(), names.size());
  std::string all;
  for (const auto& known : names) all += (all.empty() ? "" : ", ") + known;
  throw UsageError(str(message_head(where, name), "unknown section (",
                       nearest.empty() ? "" : str("did you mean [", nearest, "]? "),
                       "the sections are ", all, ")"));
}

}  // namespace anneal
