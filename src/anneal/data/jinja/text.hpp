#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "anneal/data/jinja/value.hpp"

// Texts as Python has them: sequences of characters, here in UTF-8, and values as texts.
namespace anneal::jinja {

// Bytes of the character that starts at text[at].
size_t character_size(std::string_view text, size_t at);
int64_t count_characters(std::string_view text);

// str.isspace of the character at text[at], of this many bytes.
bool is_space(std::string_view text, size_t at, size_t size);
// str.strip: of white space, or of the characters of `characters` if it's given.
std::string_view strip(std::string_view text, bool left, bool right,
                       const std::string* characters = nullptr);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
// str.title: characters that follow a letter are lower case, others title case.
std::string title(std::string_view text);
// str.capitalize.
std::string capitalize(std::string_view text);

// str(value), which `{{ }}` writes. Throws Failure for what has no stable text, such as macros.
std::string to_text(const Value& value, Budget& budget);
// repr(value), as it stands inside of lists.
std::string represent(const Value& value, Budget& budget);
std::string real_text(double value);

struct JsonStyle {
  bool ascii = false;       // others than ASCII as \uXXXX
  bool indented = false;    // each item on a line
  std::string indent;       // of each level
  std::string item = ", ";  // between items
  std::string key = ": ";   // behind a key
  bool sorted = false;      // by key
};
// json.dumps(value).
std::string to_json(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace anneal::jinja
