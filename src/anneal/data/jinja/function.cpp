#include "anneal/data/jinja/function.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {

Bound::Bound(const std::string& what, const Arguments& arguments,
             std::initializer_list<const char*> parameters, size_t required)
    : what_(what), parameters_(parameters), values_(parameters.size()) {
  if (arguments.positional.size() > values_.size())
    throw Failure(str(what, " takes at most ", values_.size(), " arguments here, got ",
                      arguments.positional.size()));
  std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  size_t given = arguments.positional.size();
  for (const auto& argument : arguments.named) {
    auto at = std::find(parameters_.begin(), parameters_.end(), argument.first);
    if (at == parameters_.end())
      throw Failure(str(what, " has no parameter ", argument.first, " here"));
    size_t place = static_cast<size_t>(at - parameters_.begin());
    if (place < arguments.positional.size())
      throw Failure(str(what, " gets ", argument.first, " twice"));
    values_[place] = argument.second;
    given = std::max(given, place + 1);
  }
  if (given < required) throw Failure(str(what, " expects an argument ", parameters_[given]));
}

int64_t Bound::integer(size_t i, int64_t fallback) const {
  if (!has(i)) return fallback;
  if (!values_[i].is<int64_t>() && !values_[i].is<bool>())
    throw Failure(
        str(what_, " expects an int as ", parameters_[i], ", got ", values_[i].type_name()));
  return values_[i].as_integer();
}

const std::string& Bound::text(size_t i) const {
  if (!values_[i].is_text())
    throw Failure(
        str(what_, " expects a str as ", parameters_[i], ", got ", values_[i].type_name()));
  return values_[i].as_text();
}

bool Loop::reach(size_t index) {
  if (!wanted_ && items_.empty()) items_.swap(source_);
  while (wanted_ && items_.size() <= index && tested_ < source_.size()) {
    const Value& candidate = source_[tested_++];
    if (wanted_(candidate)) items_.push_back(candidate);
  }
  return index < items_.size();
}

Value Loop::item_or_undefined(int64_t index, const char* name) {
  if (index >= 0 && reach(static_cast<size_t>(index))) return items_[static_cast<size_t>(index)];
  return Value::undefined(name);
}

Value Loop::attribute(const std::string& name) {
  auto length = [&] {
    (void)reach(SIZE_MAX);
    return static_cast<int64_t>(items_.size());
  };
  if (name == "index") return Value::integer(index_ + 1);
  if (name == "index0") return Value::integer(index_);
  if (name == "first") return Value::boolean(index_ == 0);
  if (name == "last") return Value::boolean(!reach(static_cast<size_t>(index_ + 1)));
  if (name == "length") return Value::integer(length());
  if (name == "revindex") return Value::integer(length() - index_);
  if (name == "revindex0") return Value::integer(length() - index_ - 1);
  if (name == "previtem") return item_or_undefined(index_ - 1, "there is no previous item");
  if (name == "nextitem") return item_or_undefined(index_ + 1, "there is no next item");
  if (name == "depth") return Value::integer(1);
  if (name == "depth0") return Value::integer(0);
  throw Failure(str("loop.", name,
                    " is not supported; supported are index, index0, revindex, revindex0, first, "
                    "last, length, previtem, nextitem, depth, depth0, cycle and changed"));
}

Value Loop::call(const std::string& name, const std::vector<Value>& arguments, Budget& budget) {
  if (name == "cycle") {
    if (arguments.empty()) throw Failure("loop.cycle expects values");
    return arguments[static_cast<size_t>(index_) % arguments.size()];
  }
  bool same = changed_before_ && arguments.size() == last_changed_.size();
  for (size_t i = 0; same && i < arguments.size(); ++i)
    same = equal(arguments[i], last_changed_[i], budget);
  changed_before_ = true;
  last_changed_ = arguments;
  return Value::boolean(!same);
}

namespace {

constexpr const char* kGlobals[] = {"range", "namespace", "raise_exception", "strftime_now",
                                    "dict",  "lipsum",    "cycler",          "joiner"};

// Python's limit on what a sandbox may walk through.
constexpr int64_t kLongestRange = 100'000;

Value range(const Arguments& arguments, Budget& budget) {
  Bound bound("range()", arguments, {"start", "stop", "step"}, 1);
  int64_t start = bound.integer(0, 0), stop = bound.integer(1, 0), step = bound.integer(2, 1);
  if (!bound.has(1)) stop = std::exchange(start, 0);
  if (step == 0) throw Failure("range() expects a step other than 0");
  auto distance = static_cast<__int128>(stop) - start;
  auto count = step > 0 ? (distance + step - 1) / step : (distance + step + 1) / step;
  if (count > kLongestRange)
    throw Failure(str("range() has more than ", kLongestRange, " numbers"));
  std::vector<Value> items;
  budget.step(std::max<int64_t>(0, static_cast<int64_t>(count)));
  budget.allocate(std::max<int64_t>(0, static_cast<int64_t>(count)) * sizeof(Value));
  for (int64_t i = 0; i < count; ++i) items.push_back(Value::integer(start + i * step));
  return make_sequence(List::Kind::range, std::move(items));
}

Value formatted_now(const Arguments& arguments, const std::tm& now) {
  const std::string format = Bound("strftime_now", arguments, {"format"}, 1).text(0);
  if (format.size() > 1000) throw Failure("strftime_now expects a format of at most 1000 bytes");
  // One character more, as the length 0 would mean an error as well.
  std::string out(16 * format.size() + 64, '\0');
  out.resize(std::strftime(out.data(), out.size(), (format + ".").c_str(), &now));
  if (out.empty()) throw Failure("strftime_now got a format that it cannot write");
  out.pop_back();
  return Value::text(out);
}

}  // namespace

bool is_global(const std::string& name) {
  return std::find(std::begin(kGlobals), std::end(kGlobals), name) != std::end(kGlobals);
}

Value call_global(const std::string& name, const Arguments& arguments, Surroundings& with) {
  if (name == "range") return range(arguments, with.budget);
  if (name == "strftime_now") return formatted_now(arguments, with.now);
  if (name == "raise_exception") {
    Bound bound(name, arguments, {"message"}, 1);
    throw Refusal(to_text(bound[0], with.budget));
  }
  if (name == "dict") {
    Dict dict;
    if (!arguments.positional.empty())
      throw Failure("dict() with a positional argument is not supported");
    for (const auto& member : arguments.named) dict.set(member.first, member.second);
    return Value::dict(std::move(dict));
  }
  throw Failure(str("the function ", name,
                    " is not supported; supported are range, namespace, raise_exception, "
                    "strftime_now and dict"));
}

}  // namespace anneal::jinja
