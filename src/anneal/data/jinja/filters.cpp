#include <algorithm>
#include <charconv>
#include <cmath>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/filter.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

Value generator(std::vector<Value> items) {
  return make_sequence(List::Kind::generator, std::move(items));
}

std::string text_of(const FilterCall& c) {
  std::string text = to_text(c.value, c.with.budget);
  c.with.budget.allocate(static_cast<int64_t>(2 * text.size()));
  return text;
}

Value first(const FilterCall& c) {
  auto items = iterate(c.value, c.with.budget);
  return items.empty() ? Value::undefined("the first item of none") : items.front();
}

Value last(const FilterCall& c) {
  bool lone = c.value.is_list() && c.value.as_list().kind == List::Kind::generator;
  if (lone) throw Failure("a generator has no last item (use | list first)");
  auto items = iterate(c.value, c.with.budget);
  return items.empty() ? Value::undefined("the last item of none") : items.back();
}

Value length(const FilterCall& c) {
  if (c.value.is_text()) return Value::integer(count_characters(c.value.as_text()));
  bool lone = c.value.is_list() && c.value.as_list().kind == List::Kind::generator;
  if (lone) throw Failure("a generator has no length (use | list first)");
  if (c.value.is_list())
    return Value::integer(static_cast<int64_t>(c.value.as_list().items.size()));
  return Value::integer(static_cast<int64_t>(iterate(c.value, c.with.budget).size()));
}

Value fallback(const FilterCall& c) {
  bool boolean = c.arguments.flag(1, false);
  if (!c.value.is_undefined() && !(boolean && !c.value.truth())) return c.value;
  return c.arguments.has(0) ? c.arguments[0] : Value::text("");
}

Value join(const FilterCall& c) {
  std::string separator = c.arguments.has(0) ? to_text(c.arguments[0], c.with.budget) : "";
  std::string out;
  bool first = true;
  for (Value item : iterate(c.value, c.with.budget)) {
    if (c.arguments.has(1)) item = attribute_at(item, c.arguments[1]);
    std::string part =
        str(std::exchange(first, false) ? "" : separator, to_text(item, c.with.budget));
    c.with.budget.allocate(static_cast<int64_t>(part.size()));
    out += part;
  }
  return Value::text(out);
}

Value replace(const FilterCall& c) {
  auto text = [&](size_t i) { return Value::text(to_text(c.arguments[i], c.with.budget)); };
  Arguments arguments{{text(0), text(1)}, {}};
  if (c.arguments.has(2) && !c.arguments[2].is_none())
    arguments.positional.push_back(c.arguments[2]);
  return call_method(Value::text(text_of(c)), "replace", arguments, c.with);
}

Value trim(const FilterCall& c) {
  std::string text = text_of(c);
  bool given = c.arguments.has(0) && !c.arguments[0].is_none();
  return Value::text(std::string(strip(text, true, true, given ? &c.arguments.text(0) : nullptr)));
}

// Words begin behind blanks, dashes and opening brackets here, unlike in str.title.
Value title_words(const FilterCall& c) {
  std::string text = text_of(c), out, word;
  auto end_word = [&] {
    if (word.empty()) return;
    size_t first = character_size(word, 0);
    out += upper(word.substr(0, first));
    out += lower(word.substr(first));
    word.clear();
  };
  for (size_t at = 0, size; at < text.size(); at += size) {
    size = character_size(text, at);
    bool cut =
        is_space(text, at, size) || std::string_view("-({[<").find(text[at]) != std::string::npos;
    if (cut) end_word();
    (cut ? out : word) += text.substr(at, size);
  }
  end_word();
  return Value::text(out);
}

Value to_integer(const FilterCall& c) {
  Value otherwise = c.arguments.has(0) ? c.arguments[0] : Value::integer(0);
  if (c.arguments.integer(1, 10) != 10)
    throw Failure("int with another base than 10 is not supported");
  if (c.value.is<int64_t>() || c.value.is<bool>()) return Value::integer(c.value.as_integer());
  double real = NAN;
  if (c.value.is<double>()) {
    real = c.value.as_real();
  } else if (c.value.is_text()) {
    std::string text(strip(c.value.as_text(), true, true));
    if (text.find('_') != text.npos) throw Failure("int of a text with _ is not supported");
    const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const char* end = text.data() + text.size();
    int64_t whole = 0;
    auto [stop, error] = std::from_chars(begin, end, whole);
    if (error == std::errc{} && stop == end) return Value::integer(whole);
    auto parsed = std::from_chars(begin, end, real);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return otherwise;
  }
  if (std::isnan(real)) return otherwise;
  if (!(std::abs(real) < 9.2e18)) throw Failure("int of a number beyond 64 bits is not supported");
  return Value::integer(static_cast<int64_t>(real));
}

Value items(const FilterCall& c) {
  if (c.value.is_undefined()) return generator({});
  if (!c.value.is_dict()) throw Failure(str("items expects a dict, got ", c.value.type_name()));
  return generator(call_method(c.value, "items", {}, c.with).as_list().items);
}

Value reverse(const FilterCall& c) {
  auto items = iterate(c.value, c.with.budget);
  std::reverse(items.begin(), items.end());
  if (!c.value.is_text()) return generator(std::move(items));
  std::string out;
  for (const Value& item : items) out += item.as_text();
  return Value::text(out);
}

Value tojson(const FilterCall& c) {
  JsonStyle style{.ascii = c.arguments.flag(0, false), .sorted = c.arguments.flag(3, false)};
  if (c.arguments.has(1) && !c.arguments[1].is_none()) {
    style.indented = true;
    style.item = ',';
    if (c.arguments[1].is_text()) {
      style.indent = c.arguments.text(1);
    } else {
      int64_t width = c.arguments.integer(1, 0);
      if (width > 1000) throw Failure("tojson expects an indent of at most 1000");
      style.indent.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
  }
  if (c.arguments.has(2) && !c.arguments[2].is_none()) {
    auto parts = iterate(c.arguments[2], c.with.budget);
    if (parts.size() != 2 || !parts[0].is_text() || !parts[1].is_text())
      throw Failure("tojson expects two strs as separators");
    style.item = parts[0].as_text();
    style.key = parts[1].as_text();
  }
  return Value::text(to_json(c.value, style, c.with.budget));
}

Value indent(const FilterCall& c) {
  std::string width =
      c.arguments.has(0) && c.arguments[0].is_text()
          ? c.arguments.text(0)
          : std::string(
                static_cast<size_t>(std::clamp<int64_t>(c.arguments.integer(0, 4), 0, 1000)), ' ');
  bool first = c.arguments.flag(1, false), blank = c.arguments.flag(2, false);
  std::string text = str(text_of(c), "\n"), out;
  auto lines = call_method(Value::text(text), "splitlines", {}, c.with).as_list().items;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i].as_text();
    bool shifted = i == 0 ? first : blank || !line.empty();
    std::string part = str(i > 0 ? "\n" : "", shifted ? width : "", line);
    c.with.budget.allocate(static_cast<int64_t>(part.size()));
    out += part;
  }
  return Value::text(out);
}

Value absolute(const FilterCall& c) {
  if (c.value.is<double>()) return Value::real(std::abs(c.value.as_real()));
  if (!c.value.is_number()) throw Failure(str("abs expects a number, got ", c.value.type_name()));
  return c.value.as_integer() < 0 ? binary("-", Value::integer(0), c.value, c.with.budget)
                                  : Value::integer(c.value.as_integer());
}

constexpr Filter kFilters[] = {
    {"abs", {}, 0, absolute},
    {"capitalize", {}, 0, [](const FilterCall& c) { return Value::text(capitalize(text_of(c))); }},
    {"count", {}, 0, length},
    {"d", {"default_value", "boolean"}, 0, fallback},
    {"default", {"default_value", "boolean"}, 0, fallback},
    {"first", {}, 0, first},
    {"indent", {"width", "first", "blank"}, 0, indent},
    {"int", {"default", "base"}, 0, to_integer},
    {"items", {}, 0, items},
    {"join", {"d", "attribute"}, 0, join},
    {"last", {}, 0, last},
    {"length", {}, 0, length},
    {"list",
     {},
     0,
     [](const FilterCall& c) { return Value::list(iterate(c.value, c.with.budget)); }},
    {"lower", {}, 0, [](const FilterCall& c) { return Value::text(lower(text_of(c))); }},
    {"replace", {"old", "new", "count"}, 2, replace},
    {"reverse", {}, 0, reverse},
    {"string", {}, 0, [](const FilterCall& c) { return Value::text(text_of(c)); }},
    {"title", {}, 0, title_words},
    {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, tojson},
    {"trim", {"chars"}, 0, trim},
    {"upper", {}, 0, [](const FilterCall& c) { return Value::text(upper(text_of(c))); }},
};

const Filter* find_plain(const std::string& name) {
  for (const Filter& filter : kFilters)
    if (name == filter.name) return &filter;
  return nullptr;
}

}  // namespace

void check_filter(const std::string& name) {
  if (find_plain(name) || is_sequence_filter(name)) return;
  if (name == "safe")
    throw Failure("the filter safe is supported as the last one of what {{ }} writes");
  std::string known;
  for (const Filter& filter : kFilters) known += str(known.empty() ? "" : ", ", filter.name);
  throw Failure(str("the filter \"", name, "\" is not supported; supported are ", known, ", ",
                    kSequenceFilters, " and safe"));
}

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments,
                   Surroundings& with) {
  check_filter(name);
  with.budget.step();
  const Filter* filter = find_plain(name);
  if (!filter) return apply_sequence_filter(name, value, arguments, with);
  const auto& p = filter->parameters;
  std::string what = str("the filter ", name);
  size_t count =
      static_cast<size_t>(std::find(std::begin(p), std::end(p), nullptr) - std::begin(p));
  Bound bound = count == 0   ? Bound(what, arguments, {})
                : count == 1 ? Bound(what, arguments, {p[0]}, filter->required)
                : count == 2 ? Bound(what, arguments, {p[0], p[1]}, filter->required)
                : count == 3 ? Bound(what, arguments, {p[0], p[1], p[2]}, filter->required)
                             : Bound(what, arguments, {p[0], p[1], p[2], p[3]}, filter->required);
  return filter->apply({value, bound, with});
}

}  // namespace anneal::jinja
