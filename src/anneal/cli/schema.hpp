#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "anneal/train/config.hpp"

namespace anneal {

// `data.validation` is one key of two forms: a fraction of the documents, or a list of files.
struct ValidationField {
  double* fraction;
  std::vector<std::string>* files;
};

// Where a key's value lives in a RunConfig; the alternative is the key's type.
using Field = std::variant<int64_t*, double*, bool*, std::string*, std::vector<std::string>*,
                           ValidationField>;

// The numbers that a key accepts.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
  bool max_excluded = false;

  bool contains(double value) const {
    return (min_excluded ? value > min : value >= min) &&
           (max_excluded ? value < max : value <= max);
  }
  // For people: "≥ 1", "0 ≤ x < 1", or "" if every number is accepted.
  std::string text() const;
};

// One key of the config, declared once: the parser, the checks of single values, the resolved
// config.toml, the comparison on resume and docs/config.md all come from this.
struct Key {
  std::string_view section;  // "" for a key above all sections
  std::string_view name;
  Field (*field)(RunConfig&);
  std::string_view doc;                        // one line
  std::string_view unit;                       // of a number: "tokens", "steps"; else ""
  Range range = {};                            // of a number
  std::vector<std::string_view> choices = {};  // of a string; empty: any
  // A resumed run must have the value that its checkpoint was made with.
  bool fixed_on_resume = false;

  // "section.name", or "name" above all sections.
  std::string full_name() const;
  // The type for people: "integer", "number", "true or false", "string", "list of strings",
  // "fraction or list of files".
  std::string_view type() const;
  // The key's value in `config`, as TOML writes it.
  std::string value(const RunConfig& config) const;
};

struct Section {
  std::string_view name;
  std::string_view doc;
};

// All sections and all keys, in the order in which they are written and documented. Keys of one
// section are adjacent.
std::span<const Section> config_sections();
std::span<const Key> config_keys();

// The key of this full name, or nullptr.
const Key* find_key(std::string_view full_name);

// A hint for a name that is not a key, as "did you mean model.layers?": a key of that name in
// another section, else the nearest by spelling; "" if nothing is near.
std::string suggest_key(std::string_view section, std::string_view name);

// TOML's spelling of a value; a double always reads back as the same double.
std::string toml_string(std::string_view text);
std::string toml_number(double value);

}  // namespace anneal
