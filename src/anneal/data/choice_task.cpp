#include "anneal/data/choice_task.hpp"

#include <algorithm>
#include <charconv>

#include "anneal/base/error.hpp"
#include "anneal/base/file.hpp"
#include "anneal/data/jinja/text.hpp"
#include "anneal/data/tokenizer/json_value.hpp"

namespace anneal {
namespace {

using tokenizing::JsonValue;

std::string replaced(std::string_view text, std::string_view old, std::string_view now) {
  std::string out;
  for (size_t at; (at = text.find(old)) != std::string_view::npos;) {
    out.append(text.substr(0, at)).append(now);
    text.remove_prefix(at + old.size());
  }
  return out.append(text);
}

// Without "[…]", which never reaches over the end of a line.
std::string without_brackets(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t open = std::min(text.find('['), text.size());
    out.append(text.substr(0, open));
    text.remove_prefix(open);
    size_t end = text.find_first_of("]\n");
    if (end == std::string_view::npos) return out.append(text);
    // An opening bracket that the line does not close stays.
    if (text[end] == '\n') out.append(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string prepared(std::string_view text) {
  text = jinja::strip(text, true, true);
  return replaced(without_brackets(replaced(text, " [title]", ". ")), "  ", " ");
}

std::string hellaswag_query(const JsonValue& line) {
  std::string text;
  if (line.find("ctx_a"))
    text = line.text("ctx_a") + " " + jinja::capitalize(line.text("ctx_b"));
  else if (line.find("ctx"))
    text = line.text("ctx");
  else
    line.missing("ctx", "the text that the endings go on from, or ctx_a and ctx_b");
  if (line.find("activity_label")) text = line.text("activity_label") + ": " + text;
  return prepared(text);
}

std::vector<std::string> strings(const JsonValue& line, const char* key, bool prepare) {
  JsonValue list = line.array(key);
  if (list.size() < 2)
    list.fail(str("expected two or more texts to choose from, got ", list.size()));
  std::vector<std::string> texts;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string& text = list.item(i).as_text();
    texts.push_back(prepare ? prepared(text) : text);
    if (jinja::strip(texts.back(), true, true).empty())
      list.item(i).fail(str("expected some text, got ", tokenizing::shown(text)));
  }
  return texts;
}

size_t index(const JsonValue& line, const char* key, size_t choices) {
  auto value = line.find(key);
  if (!value) line.missing(key, "the index of the right choice");
  int64_t last = static_cast<int64_t>(choices) - 1;
  if (!value->is_string()) return static_cast<size_t>(line.integer(key, 0, 0, last));
  const std::string& text = value->as_text();
  int64_t number = -1;
  auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || number < 0 ||
      number > last)
    value->fail(str("expected an integer from 0 to ", last, ", got ", tokenizing::shown(text)));
  return static_cast<size_t>(number);
}

}  // namespace

ChoiceItem parse_choice_item(std::string_view json, const std::string& where) {
  JsonValue line = JsonValue::parse(json, where);
  ChoiceItem item;
  item.where = where;
  bool hellaswag = line.find("endings").has_value();
  if (!hellaswag && !line.find("choices"))
    line.missing("endings", "HellaSwag's endings, ctx and label, or else query, choices and gold");
  item.query = hellaswag ? hellaswag_query(line) : line.text("query");
  if (jinja::strip(item.query, true, true).empty())
    line.fail("expected some text before the choices, got none");
  item.choices = strings(line, hellaswag ? "endings" : "choices", hellaswag);
  item.gold = index(line, hellaswag ? "label" : "gold", item.choices.size());
  return item;
}

std::vector<ChoiceItem> read_choice_task(const std::filesystem::path& file, int64_t limit) {
  std::string text = read_file(file);
  std::vector<ChoiceItem> items;
  std::string_view rest = text;
  for (int64_t number = 1; !rest.empty(); ++number) {
    if (limit > 0 && static_cast<int64_t>(items.size()) == limit) break;
    size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    items.push_back(parse_choice_item(line, str(file.string(), ":", number)));
  }
  if (items.empty())
    throw UsageError(str("[--task] ", file.string(), " has no questions (expected one a line)"));
  return items;
}

}  // namespace anneal
