#include "anneal/cli/config_syntax.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"

namespace anneal {
namespace {

// Calls visit(line number, trimmed line) for each line.
template <class Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  size_t number = 1;
  for (size_t begin = 0; begin <= text.size(); ++number) {
    auto end = std::min(text.find('\n', begin), text.size());
    visit(number, trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
}

// The same with the key that the line holds, by its full name: "[section]" for a header, "" for
// neither.
template <class Visit>
void for_each_key(std::string_view text, Visit&& visit) {
  std::string section;
  for_each_line(text, [&](size_t number, const std::string& line) {
    auto close = line.find(']'), equals = line.find('=');
    std::string key;
    if (line.starts_with("[") && close != std::string::npos) {
      section = trimmed(std::string_view(line).substr(1, close - 1));
      key = "[" + section + "]";
    } else if (equals != std::string::npos && equals > 0 && !line.starts_with("#")) {
      key = (section.empty() ? "" : section + ".") +
            trimmed(std::string_view(line).substr(0, equals));
    }
    visit(number, line, key);
  });
}

// At most some 80 bytes, cut between characters.
std::string shortened(std::string line) {
  constexpr size_t most = 80;
  if (line.size() <= most) return line;
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  return line.substr(0, end) + "…";
}

}  // namespace

std::string trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(blank) - first + 1));
}

void check_nesting(std::string_view text, const std::string& file) {
  constexpr int most = 4000;
  int dots = 0;
  size_t line = 1;
  char quote = 0;  // of the string that we are in
  bool comment = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\n') {
      ++line;
      comment = false;
    } else if (comment) {
      continue;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      comment = true;
    } else if (c == '.' && ++dots > most) {
      throw UsageError(str("[", file, ":", line, "] more than ", most,
                           " dots in keys (a key has one: section.key)"));
    }
  }
}

void refuse_syntax(std::string_view text, const std::string& file, size_t line,
                   std::string_view description) {
  std::string content, key;
  for_each_key(text, [&](size_t number, const std::string& each, const std::string& its_key) {
    if (number != line) return;
    content = shortened(each);
    key = its_key;
  });
  auto head = str("[", file, ":", line, key.empty() ? "" : ": ", key, "] ");
  if (description.find("cannot redefine existing") != std::string_view::npos && !key.empty()) {
    size_t first = 0;
    for_each_key(text, [&](size_t number, const std::string&, const std::string& its_key) {
      if (first == 0 && number < line && its_key == key) first = number;
    });
    throw UsageError(
        str(head, "defined twice, first ", first == 0 ? "above" : str("at ", file, ":", first),
            " (keep one: a key stands once in its section, a section once in the file)"));
  }
  throw UsageError(str(head, "not valid TOML: ", description, ", in: ", content,
                       " (correct the line; text is written in double quotes, a list as "
                       "[\"a\", \"b\"])"));
}

}  // namespace anneal
