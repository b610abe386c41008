#include <algorithm>
#include <charconv>
#include <cmath>

#include "anneal/base/error.hpp"
#include "anneal/cli/schema.hpp"

namespace anneal {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string toml_list(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const auto& value : values) out += (out.size() > 1 ? ", " : "") + toml_string(value);
  return out + "]";
}

// Limits are counts or simple fractions: the shortest decimal form reads best.
std::string limit_text(double limit) {
  if (limit == std::floor(limit) && std::abs(limit) < 1e15) return str(static_cast<int64_t>(limit));
  return toml_number(limit);
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  return nearest_word(word, candidates.data(), candidates.size());
}

}  // namespace

std::string Range::text() const {
  bool has_min = std::isfinite(min), has_max = std::isfinite(max);
  std::string lower = min_excluded ? "> " : "≥ ", upper = max_excluded ? "< " : "≤ ";
  if (has_min && has_max)
    return limit_text(min) + (min_excluded ? " < x " : " ≤ x ") + upper + limit_text(max);
  if (has_min) return lower + limit_text(min);
  if (has_max) return upper + limit_text(max);
  return "";
}

std::string Key::full_name() const {
  return section.empty() ? std::string(name) : str(section, ".", name);
}

std::string_view Key::type() const {
  RunConfig config;
  return std::visit(
      Overloaded{[](int64_t*) { return "integer"; }, [](double*) { return "number"; },
                 [](bool*) { return "true or false"; }, [](std::string*) { return "string"; },
                 [](std::vector<std::string>*) { return "list of strings"; },
                 [](ValidationField) { return "fraction or list of files"; }},
      field(config));
}

std::string Key::value(const RunConfig& config) const {
  // Fields point into a mutable config; this copy is only read.
  RunConfig copy = config;
  return std::visit(
      Overloaded{[](int64_t* v) { return str(*v); }, [](double* v) { return toml_number(*v); },
                 [](bool* v) { return std::string(*v ? "true" : "false"); },
                 [](std::string* v) { return toml_string(*v); },
                 [](std::vector<std::string>* v) { return toml_list(*v); },
                 [](ValidationField v) {
                   return v.files->empty() ? toml_number(*v.fraction) : toml_list(*v.files);
                 }},
      field(copy));
}

const Key* find_key(std::string_view full_name) {
  for (const Key& key : config_keys())
    if (key.full_name() == full_name) return &key;
  return nullptr;
}

std::string suggest_key(std::string_view section, std::string_view name) {
  std::string same_name;
  for (const Key& key : config_keys())
    if (key.name == name) same_name += (same_name.empty() ? "" : " or ") + key.full_name();
  if (!same_name.empty()) return str("did you mean ", same_name, "?");

  std::vector<std::string> here, everywhere;
  for (const Key& key : config_keys()) {
    everywhere.emplace_back(key.name);
    if (key.section == section) here.emplace_back(key.name);
  }
  if (auto near = nearest(name, here); !near.empty())
    return str("did you mean ", section, section.empty() ? "" : ".", near, "?");
  auto near = nearest(name, everywhere);
  for (const Key& key : config_keys())
    if (key.name == near) return str("did you mean ", key.full_name(), "?");
  return "";
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      constexpr char digits[] = "0123456789abcdef";
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string toml_number(double value) {
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  // "6e-04" reads as "6e-4"; a number without a point or an exponent would be an integer in TOML.
  if (auto e = text.find('e'); e != std::string::npos) {
    size_t digits = e + 2;
    while (digits + 1 < text.size() && text[digits] == '0') text.erase(digits, 1);
  } else if (text.find_first_not_of("-0123456789") == std::string::npos) {
    text += ".0";
  }
  return text;
}

}  // namespace anneal
