#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/function.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

using Names = std::initializer_list<const char*>;

bool among(const std::string& name, Names names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr const char* kTextMethods =
    "strip, lstrip, rstrip, split, rsplit, splitlines, startswith, endswith, upper, lower, title, "
    "capitalize, replace, find, rfind, count, join, removeprefix and removesuffix";

// The methods of Python's types, and whether there is one here.
enum class Known { no, yes, python };

Known text_method(const std::string& name) {
  if (among(name, {"strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith",
                   "endswith", "upper", "lower", "title", "capitalize", "replace", "find", "rfind",
                   "count", "join", "removeprefix", "removesuffix"}))
    return Known::yes;
  return among(name,
               {"casefold",     "center",   "encode",    "expandtabs",  "format",    "format_map",
                "index",        "isalnum",  "isalpha",   "isascii",     "isdecimal", "isdigit",
                "isidentifier", "islower",  "isnumeric", "isprintable", "isspace",   "istitle",
                "isupper",      "ljust",    "maketrans", "partition",   "rindex",    "rjust",
                "rpartition",   "swapcase", "translate", "zfill"})
             ? Known::python
             : Known::no;
}

Known list_method(const List& list, const std::string& name) {
  bool plain = list.kind <= List::Kind::tuple;
  if (plain && among(name, {"count", "index"})) return Known::yes;
  return among(name, {"append", "clear", "copy", "extend", "insert", "pop", "remove", "reverse",
                      "sort", "count", "index", "start", "stop", "step", "mapping", "isdisjoint",
                      "send", "throw", "close"})
             ? Known::python
             : Known::no;
}

Known dict_method(const std::string& name) {
  if (among(name, {"items", "keys", "values", "get"})) return Known::yes;
  return among(name, {"clear", "copy", "fromkeys", "pop", "popitem", "setdefault", "update"})
             ? Known::python
             : Known::no;
}

Known number_attribute(const std::string& name) {
  return among(name,
               {"real", "imag", "numerator", "denominator", "conjugate", "bit_length", "bit_count",
                "to_bytes", "from_bytes", "as_integer_ratio", "is_integer", "hex", "fromhex"})
             ? Known::python
             : Known::no;
}

Value method(const Value& receiver, const std::string& name) {
  auto function = std::make_shared<Function>();
  function->kind = Function::Kind::method;
  function->name = name;
  function->receiver = receiver;
  return Value::Held(std::shared_ptr<const Function>(std::move(function)));
}

using Parts = std::vector<std::string>;

// The parts of a text between separators, by at most `most` cuts.
Parts split_at(std::string_view text, const std::string& separator, int64_t most, bool right) {
  Parts parts;
  while (most-- > 0) {
    size_t at = right ? text.rfind(separator) : text.find(separator);
    if (at == text.npos) break;
    parts.emplace_back(right ? text.substr(at + separator.size()) : text.substr(0, at));
    text = right ? text.substr(0, at) : text.substr(at + separator.size());
  }
  parts.emplace_back(text);
  return parts;
}

// The words between runs of white space, by at most `most` cuts.
Parts split_words(std::string_view text, int64_t most, bool right) {
  std::vector<std::string_view> words;  // between all runs
  for (size_t at = 0, size, begin = text.npos; at <= text.size(); at += size) {
    size = at < text.size() ? character_size(text, at) : 1;
    bool space = at == text.size() || is_space(text, at, size);
    if (space && begin != text.npos) {
      words.push_back(text.substr(begin, at - begin));
      begin = text.npos;
    } else if (!space && begin == text.npos) {
      begin = at;
    }
  }
  Parts parts;
  auto cuts = static_cast<size_t>(std::min<int64_t>(most, std::ssize(words)));
  if (right) std::reverse(words.begin(), words.end());
  for (size_t i = 0; i < std::min(cuts, words.size()); ++i) parts.emplace_back(words[i]);
  if (cuts >= words.size()) return parts;
  // What no cut divides, with the white space in it and on its far side.
  const char* first = right ? text.data() : words[cuts].data();
  const char* last = right ? words[cuts].data() + words[cuts].size() : text.data() + text.size();
  parts.emplace_back(first, static_cast<size_t>(last - first));
  return parts;
}

Parts split(std::string_view text, const std::string* separator, int64_t most, bool right) {
  if (most < 0) most = INT64_MAX;
  Parts parts =
      separator ? split_at(text, *separator, most, right) : split_words(text, most, right);
  if (right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t at = 0, size; at < text.size(); at += size) {
    size = character_size(text, at);
    std::string_view c = text.substr(at, size);
    bool end = c == "\n" || c == "\r" || c == "\v" || c == "\f" || c == "\x1c" || c == "\x1d" ||
               c == "\x1e" || c == "\u0085" || c == "\u2028" || c == "\u2029";
    if (!end) continue;
    lines.emplace_back(text.substr(begin, at - begin));
    if (text.substr(at, 2) == "\r\n") size = 2;
    begin = at + size;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

Value texts(const std::vector<std::string>& parts, Budget& budget) {
  std::vector<Value> items;
  for (const std::string& part : parts) {
    budget.allocate(static_cast<int64_t>(part.size() + sizeof(Value)));
    items.push_back(Value::text(part));
  }
  return Value::list(std::move(items));
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to,
                     int64_t most, Budget& budget) {
  if (most < 0) most = INT64_MAX;
  std::string out;
  auto add = [&](std::string_view part) {
    budget.allocate(static_cast<int64_t>(part.size()));
    out += part;
  };
  size_t at = 0;
  while (most > 0 && at <= text.size()) {
    size_t found = from.empty() ? at : text.find(from, at);
    if (found == text.npos) break;
    add(std::string_view(text).substr(at, found - at));
    add(to);
    --most;
    budget.step();
    size_t size = from.empty() && found < text.size() ? character_size(text, found) : 0;
    add(std::string_view(text).substr(found, size));
    at = found + from.size() + size;
    if (from.empty() && found == text.size()) return out;
  }
  add(std::string_view(text).substr(std::min(at, text.size())));
  return out;
}

bool has_affix(const std::string& text, const Value& affix, bool start, Budget& budget) {
  if (affix.is_list() && affix.as_list().kind == List::Kind::tuple) {
    const auto& items = affix.as_list().items;
    return std::any_of(items.begin(), items.end(),
                       [&](const Value& one) { return has_affix(text, one, start, budget); });
  }
  budget.step();
  if (!affix.is_text())
    throw Failure(
        str(start ? "startswith" : "endswith", " expects a str, got ", affix.type_name()));
  return start ? text.starts_with(affix.as_text()) : text.ends_with(affix.as_text());
}

Value call_text(const std::string& text, const std::string& name, const Arguments& arguments,
                Budget& budget) {
  const std::string what = str("str.", name);
  budget.step(static_cast<int64_t>(1 + text.size() / 64));
  budget.allocate(static_cast<int64_t>(text.size()));
  // A search may compare each character of the text with each of what is searched for.
  auto search = [&](const std::string& part) {
    budget.step(static_cast<int64_t>(text.size() / 64 * (part.size() / 64 + 1)));
  };
  if (among(name, {"strip", "lstrip", "rstrip"})) {
    Bound bound(what, arguments, {"chars"});
    const std::string* characters = bound.has(0) && !bound[0].is_none() ? &bound.text(0) : nullptr;
    if (characters) search(*characters);
    return Value::text(std::string(strip(text, name != "rstrip", name != "lstrip", characters)));
  }
  if (name == "split" || name == "rsplit") {
    Bound bound(what, arguments, {"sep", "maxsplit"});
    const std::string* separator = bound.has(0) && !bound[0].is_none() ? &bound.text(0) : nullptr;
    if (separator && separator->empty()) throw Failure(str(what, " got an empty separator"));
    if (separator) search(*separator);
    return texts(split(text, separator, bound.integer(1, -1), name == "rsplit"), budget);
  }
  if (name == "replace") {
    Bound bound(what, arguments, {"old", "new", "count"}, 2);
    search(bound.text(0));
    return Value::text(replaced(text, bound.text(0), bound.text(1), bound.integer(2, -1), budget));
  }
  if (name == "join") {
    Bound bound(what, arguments, {"iterable"}, 1);
    std::string out;
    bool first = true;
    for (const Value& item : iterate(bound[0], budget)) {
      if (!item.is_text()) throw Failure(str(what, " expects strs, got ", item.type_name()));
      std::string part = str(std::exchange(first, false) ? "" : text, item.as_text());
      budget.allocate(static_cast<int64_t>(part.size()));
      out += part;
    }
    return Value::text(out);
  }
  if (among(name, {"startswith", "endswith"})) {
    Bound bound(what, arguments, {"affix"}, 1);
    return Value::boolean(has_affix(text, bound[0], name == "startswith", budget));
  }
  if (among(name, {"removeprefix", "removesuffix"})) {
    Bound bound(what, arguments, {"affix"}, 1);
    const std::string& affix = bound.text(0);
    bool prefix = name == "removeprefix";
    if (!(prefix ? text.starts_with(affix) : text.ends_with(affix))) return Value::text(text);
    return Value::text(text.substr(prefix ? affix.size() : 0, text.size() - affix.size()));
  }
  if (among(name, {"find", "rfind", "count"})) {
    Bound bound(what, arguments, {"sub"}, 1);
    const std::string& part = bound.text(0);
    search(part);
    if (name == "count") {
      if (part.empty()) return Value::integer(count_characters(text) + 1);
      return Value::integer(static_cast<int64_t>(split(text, &part, -1, false).size()) - 1);
    }
    size_t at = name == "find" ? text.find(part) : text.rfind(part);
    if (at == text.npos) return Value::integer(-1);
    return Value::integer(count_characters(std::string_view(text).substr(0, at)));
  }
  if (name == "splitlines") {
    Bound bound(what, arguments, {});
    return texts(split_lines(text), budget);
  }
  Bound bound(what, arguments, {});
  return Value::text(name == "upper"   ? upper(text)
                     : name == "lower" ? lower(text)
                     : name == "title" ? title(text)
                                       : capitalize(text));
}

Value call_list(const List& list, const std::string& name, const Arguments& arguments,
                Budget& budget) {
  Bound bound(name, arguments, {"value"}, 1);
  int64_t count = 0;
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (!equal(list.items[i], bound[0], budget)) continue;
    if (name == "index") return Value::integer(static_cast<int64_t>(i));
    ++count;
  }
  if (name == "index") throw Failure("index() of what is not in the list");
  return Value::integer(count);
}

Value call_dict(const Value& receiver, const std::string& name, const Arguments& arguments,
                Budget& budget) {
  const Dict& dict = receiver.as_dict();
  if (name == "get") {
    Bound bound("dict.get", arguments, {"key", "default"}, 1);
    const Value* found = bound[0].is_text() ? dict.find(bound[0].as_text()) : nullptr;
    if (found) return *found;
    bool fallback = bound.has(1) || arguments.positional.size() > 1;
    return fallback ? bound[1] : Value::none();
  }
  Bound bound(str("dict.", name), arguments, {});
  std::vector<Value> items;
  budget.step(static_cast<int64_t>(dict.members().size()));
  for (const Dict::Member& member : dict.members()) {
    budget.allocate(static_cast<int64_t>(member.first.size() + 3 * sizeof(Value)));
    Value key = Value::text(member.first);
    if (name == "items") items.push_back(make_sequence(List::Kind::tuple, {key, member.second}));
    if (name == "keys") items.push_back(key);
    if (name == "values") items.push_back(member.second);
  }
  return make_sequence(List::Kind::view, std::move(items));
}

}  // namespace

Value attribute(const Value& value, const std::string& name) {
  if (value.is_undefined())
    throw Failure(str(value.type_name(), " has no attribute or item ", name));
  if (name.starts_with("__") && name.ends_with("__"))
    throw Failure(str("access to ", name, " is not allowed"));
  Known known = Known::no;
  if (value.is_text()) known = text_method(name);
  if (value.is_list()) known = list_method(value.as_list(), name);
  if (value.is_number()) known = number_attribute(name);
  if (value.is_dict()) {
    known = dict_method(name);
    if (known == Known::no)
      if (const Value* found = value.as_dict().find(name)) return *found;
  }
  if (value.is<std::shared_ptr<Loop>>()) {
    if (name == "cycle" || name == "changed") return method(value, name);
    return std::get<std::shared_ptr<Loop>>(value.held())->attribute(name);
  }
  if (value.is<std::shared_ptr<Namespace>>())
    if (const Value* found = std::get<std::shared_ptr<Namespace>>(value.held())->members.find(name))
      return *found;
  if (value.is<std::shared_ptr<const Function>>())
    throw Failure(str("attributes of functions are not supported (", name, ")"));
  if (known == Known::yes) return method(value, name);
  if (known == Known::python)
    throw Failure(str("the attribute ", name, " of a ", value.type_name(),
                      " is not supported; supported are ",
                      value.is_text()   ? kTextMethods
                      : value.is_dict() ? "items, keys, values and get"
                      : value.is_list() ? "count and index, which change nothing"
                                        : "none"));
  return Value::undefined(str(name, " of a ", value.type_name()));
}

Value call_method(const Value& receiver, const std::string& name, const Arguments& arguments,
                  Surroundings& with) {
  with.budget.step();
  if (receiver.is_text()) return call_text(receiver.as_text(), name, arguments, with.budget);
  if (receiver.is_list()) return call_list(receiver.as_list(), name, arguments, with.budget);
  if (receiver.is_dict()) return call_dict(receiver, name, arguments, with.budget);
  Loop& loop = *std::get<std::shared_ptr<Loop>>(receiver.held());
  return loop.call(name, arguments.positional, with.budget);
}

}  // namespace anneal::jinja
