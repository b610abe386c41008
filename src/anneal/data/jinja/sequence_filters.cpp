#include <algorithm>
#include <charconv>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/filter.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

// What is compared of an item: its attribute, in lower case unless case matters.
Value key_of(const Value& item, const Value& path, bool case_sensitive) {
  Value key = path.is_undefined() || path.is_none() ? item : attribute_at(item, path);
  return key.is_text() && !case_sensitive ? Value::text(lower(key.as_text())) : key;
}

// The rest of the arguments of map and select, which belong to the filter or test that the first
// names.
Arguments without(const Arguments& arguments, size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

const std::string& name_at(const Arguments& arguments, size_t i, const std::string& what) {
  if (i >= arguments.positional.size() || !arguments.positional[i].is_text())
    throw Failure(str("the filter ", what, " expects a name as argument ", i + 1));
  return arguments.positional[i].as_text();
}

Value map(const Value& value, const Arguments& arguments, Surroundings& with) {
  std::vector<Value> out;
  if (arguments.positional.empty()) {
    Bound bound("the filter map", arguments, {"attribute", "default"}, 1);
    for (const Value& item : iterate(value, with.budget)) {
      Value part = attribute_at(item, bound[0]);
      out.push_back(part.is_undefined() && bound.has(1) ? bound[1] : part);
    }
  } else {
    const std::string& name = name_at(arguments, 0, "map");
    Arguments rest = without(arguments, 1);
    for (const Value& item : iterate(value, with.budget))
      out.push_back(apply_filter(name, item, rest, with));
  }
  return make_sequence(List::Kind::generator, std::move(out));
}

Value select(const Value& value, const Arguments& arguments, Surroundings& with, bool wanted,
             bool by_attribute) {
  const char* what = by_attribute ? "selectattr" : "select";
  size_t test = by_attribute ? 1 : 0;
  if (by_attribute) (void)name_at(arguments, 0, what);
  bool tested = arguments.positional.size() > test;
  Arguments rest = without(arguments, tested ? test + 1 : test);
  std::vector<Value> out;
  for (const Value& item : iterate(value, with.budget)) {
    Value part = by_attribute ? attribute_at(item, arguments.positional[0]) : item;
    bool holds =
        tested ? apply_test(name_at(arguments, test, what), part, rest, with) : part.truth();
    if (holds == wanted) out.push_back(item);
  }
  return make_sequence(List::Kind::generator, std::move(out));
}

void sort_by(std::vector<Value>& items, const Value& path, bool case_sensitive, bool reverse,
             Budget& budget) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items) keyed.emplace_back(key_of(item, path, case_sensitive), item);
  // Equal items keep their order, also where it is reversed.
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? less(b.first, a.first, budget) : less(a.first, b.first, budget);
  });
  for (size_t i = 0; i < items.size(); ++i) items[i] = keyed[i].second;
}

Value sort(const Value& value, const Arguments& arguments, Surroundings& with) {
  Bound bound("the filter sort", arguments, {"reverse", "case_sensitive", "attribute"});
  auto items = iterate(value, with.budget);
  if (bound.has(2) && bound[2].is_text() && bound[2].as_text().find(',') != std::string::npos)
    throw Failure("sort by several attributes is not supported");
  sort_by(items, bound[2], bound.flag(1, false), bound.flag(0, false), with.budget);
  return Value::list(std::move(items));
}

Value dictsort(const Value& value, const Arguments& arguments, Surroundings& with) {
  Bound bound("the filter dictsort", arguments, {"case_sensitive", "by", "reverse"});
  if (!value.is_dict()) throw Failure(str("dictsort expects a dict, got ", value.type_name()));
  std::string by = bound.has(1) ? bound.text(1) : "key";
  if (by != "key" && by != "value") throw Failure("dictsort expects key or value as by");
  auto items = call_method(value, "items", {}, with).as_list().items;
  sort_by(items, Value::integer(by == "key" ? 0 : 1), bound.flag(0, false), bound.flag(2, false),
          with.budget);
  return Value::list(std::move(items));
}

Value unique(const Value& value, const Arguments& arguments, Surroundings& with) {
  Bound bound("the filter unique", arguments, {"case_sensitive", "attribute"});
  std::vector<Value> keys, out;
  for (const Value& item : iterate(value, with.budget)) {
    Value key = key_of(item, bound[1], bound.flag(0, false));
    bool seen = std::any_of(keys.begin(), keys.end(),
                            [&](const Value& other) { return equal(key, other, with.budget); });
    if (seen) continue;
    keys.push_back(key);
    out.push_back(item);
  }
  return make_sequence(List::Kind::generator, std::move(out));
}

Value extreme(const Value& value, const Arguments& arguments, Surroundings& with, bool largest) {
  Bound bound("the filter min or max", arguments, {"case_sensitive", "attribute"});
  Value best = Value::undefined("the extreme of no items"), best_key;
  for (const Value& item : iterate(value, with.budget)) {
    Value key = key_of(item, bound[1], bound.flag(0, false));
    bool better = best.is_undefined() ||
                  (largest ? less(best_key, key, with.budget) : less(key, best_key, with.budget));
    if (!better) continue;
    best = item;
    best_key = key;
  }
  return best;
}

Value sum(const Value& value, const Arguments& arguments, Surroundings& with) {
  Bound bound("the filter sum", arguments, {"attribute", "start"});
  Value total = bound.has(1) ? bound[1] : Value::integer(0);
  if (!total.is_number()) throw Failure("sum is supported for numbers");
  for (const Value& item : iterate(value, with.budget))
    total = binary("+", total, bound.has(0) ? attribute_at(item, bound[0]) : item, with.budget);
  return total;
}

}  // namespace

Value attribute_at(const Value& value, const Value& path) {
  if (path.is<int64_t>()) return item(value, path);
  if (!path.is_text()) throw Failure("expected the name or the number of an attribute");
  Value at = value;
  std::string_view rest = path.as_text();
  while (true) {
    size_t dot = std::min(rest.find('.'), rest.size());
    std::string part(rest.substr(0, dot));
    int64_t number = 0;
    auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    bool numeric = error == std::errc{} && stop == part.data() + part.size() && number >= 0;
    at = item(at, numeric ? Value::integer(number) : Value::text(part));
    if (dot == rest.size()) return at;
    rest = rest.substr(dot + 1);
  }
}

bool is_sequence_filter(const std::string& name) {
  for (const char* known : {"map", "select", "reject", "selectattr", "rejectattr", "sort",
                            "dictsort", "unique", "min", "max", "sum"})
    if (name == known) return true;
  return false;
}

Value apply_sequence_filter(const std::string& name, const Value& value, const Arguments& arguments,
                            Surroundings& with) {
  if (name == "map") return map(value, arguments, with);
  if (name == "sort") return sort(value, arguments, with);
  if (name == "dictsort") return dictsort(value, arguments, with);
  if (name == "unique") return unique(value, arguments, with);
  if (name == "sum") return sum(value, arguments, with);
  if (name == "min" || name == "max") return extreme(value, arguments, with, name == "max");
  return select(value, arguments, with, name.starts_with("select"), name.ends_with("attr"));
}

}  // namespace anneal::jinja
