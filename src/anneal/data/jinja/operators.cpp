#include <algorithm>
#include <cmath>
#include <optional>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/function.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

[[noreturn]] void fail_operands(const std::string& sign, const Value& a, const Value& b) {
  throw Failure(str("a ", a.type_name(), " ", sign, " a ", b.type_name(), " is not supported"));
}

[[noreturn]] void fail_range() { throw Failure("a number does not fit in 64 bits"); }

Value integers(const std::string& sign, int64_t a, int64_t b) {
  int64_t result = 0;
  if (sign == "+" || sign == "-" || sign == "*") {
    bool large = sign == "+"   ? __builtin_add_overflow(a, b, &result)
                 : sign == "-" ? __builtin_sub_overflow(a, b, &result)
                               : __builtin_mul_overflow(a, b, &result);
    if (large) fail_range();
    return Value::integer(result);
  }
  if (sign == "**") {
    if (b < 0) return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
    result = 1;
    if (a == 1 || a == 0 || a == -1) return Value::integer(b == 0 ? 1 : b % 2 ? a : a * a);
    for (int64_t i = 0; i < b; ++i)
      if (__builtin_mul_overflow(result, a, &result)) fail_range();
    return Value::integer(result);
  }
  if (b == 0) throw Failure("division by zero");
  if (sign == "/") {
    constexpr int64_t exact = int64_t{1} << 53;
    if (a > exact || a < -exact || b > exact || b < -exact) fail_range();
    return Value::real(static_cast<double>(a) / static_cast<double>(b));
  }
  if (b == -1) {
    if (a == INT64_MIN) fail_range();
    return Value::integer(sign == "%" ? 0 : -a);
  }
  // Rounded down, where C++ rounds to zero.
  int64_t quotient = a / b, rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    --quotient;
    rest += b;
  }
  return Value::integer(sign == "%" ? rest : quotient);
}

Value reals(const std::string& sign, double a, double b) {
  if (sign == "+") return Value::real(a + b);
  if (sign == "-") return Value::real(a - b);
  if (sign == "*") return Value::real(a * b);
  if (sign == "**") {
    double power = std::pow(a, b);
    if (!std::isfinite(power)) throw Failure("a power that is not a finite real number");
    return Value::real(power);
  }
  if (b == 0) throw Failure("division by zero");
  if (sign == "/") return Value::real(a / b);
  // As in CPython's float_divmod.
  double rest = std::fmod(a, b), quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      quotient -= 1;
    }
  } else {
    rest = std::copysign(0.0, b);
  }
  if (sign == "%") return Value::real(rest);
  if (quotient == 0) return Value::real(std::copysign(0.0, a / b));
  double whole = std::floor(quotient);
  return Value::real(quotient - whole > 0.5 ? whole + 1 : whole);
}

Value repeated(const Value& value, int64_t times, Budget& budget) {
  times = std::max<int64_t>(times, 0);
  auto room = [&](size_t bytes) {
    int64_t all = 0;
    if (__builtin_mul_overflow(static_cast<int64_t>(bytes), times, &all)) fail_range();
    budget.allocate(all);
  };
  if (value.is_text()) {
    room(value.as_text().size());
    std::string out;
    for (int64_t i = 0; i < times && !value.as_text().empty(); ++i) out += value.as_text();
    return Value::text(out);
  }
  const List& list = value.as_list();
  room(list.items.size() * sizeof(Value));
  std::vector<Value> items;
  for (int64_t i = 0; i < times && !list.items.empty(); ++i)
    items.insert(items.end(), list.items.begin(), list.items.end());
  return make_sequence(list.kind, std::move(items));
}

bool is_plain_list(const Value& value) {
  return value.is_list() && value.as_list().kind <= List::Kind::tuple;
}

// The places that a slice takes of `length`.
std::vector<size_t> places(int64_t length, const Value& start, const Value& stop, const Value& step,
                           Budget& budget) {
  auto number = [](const Value& value) -> std::optional<int64_t> {
    if (value.is_none()) return std::nullopt;
    if (!value.is<int64_t>() && !value.is<bool>())
      throw Failure(str("expected an int or nothing in a slice, got ", value.type_name()));
    return value.as_integer();
  };
  int64_t by = number(step).value_or(1);
  if (by == 0) throw Failure("the step of a slice is 0");
  int64_t least = by < 0 ? -1 : 0, most = by < 0 ? length - 1 : length;
  auto bound = [&](std::optional<int64_t> given, int64_t fallback) {
    if (!given) return fallback;
    int64_t at = *given < 0 ? std::max(*given, -length - 1) + length : *given;
    return std::clamp(at, least, most);
  };
  int64_t from = bound(number(start), by < 0 ? most : 0);
  int64_t to = bound(number(stop), by < 0 ? -1 : length);
  by = std::clamp(by, -length - 1, length + 1);
  std::vector<size_t> out;
  for (int64_t at = from; by < 0 ? at > to : at < to; at += by)
    out.push_back(static_cast<size_t>(at));
  budget.step(static_cast<int64_t>(out.size()));
  budget.allocate(static_cast<int64_t>(out.size() * sizeof(Value)));
  return out;
}

}  // namespace

Value binary(const std::string& sign, const Value& a, const Value& b, Budget& budget) {
  if (a.is_number() && b.is_number()) {
    if (a.is<double>() || b.is<double>()) return reals(sign, a.as_real(), b.as_real());
    return integers(sign, a.as_integer(), b.as_integer());
  }
  auto counts = [](const Value& v) { return v.is<int64_t>() || v.is<bool>(); };
  if (sign == "+" && a.is_text() && b.is_text()) {
    budget.allocate(static_cast<int64_t>(a.as_text().size() + b.as_text().size()));
    return Value::text(a.as_text() + b.as_text());
  }
  if (sign == "+" && is_plain_list(a) && is_plain_list(b) && a.as_list().kind == b.as_list().kind) {
    std::vector<Value> items = iterate(a, budget), more = iterate(b, budget);
    items.insert(items.end(), more.begin(), more.end());
    return make_sequence(a.as_list().kind, std::move(items));
  }
  if (sign == "*" && (a.is_text() || is_plain_list(a)) && counts(b))
    return repeated(a, b.as_integer(), budget);
  if (sign == "*" && (b.is_text() || is_plain_list(b)) && counts(a))
    return repeated(b, a.as_integer(), budget);
  fail_operands(sign, a, b);
}

bool compare(const std::string& sign, const Value& a, const Value& b, Budget& budget) {
  if (sign == "==") return equal(a, b, budget);
  if (sign == "!=") return !equal(a, b, budget);
  if (sign == "in") return contains(b, a, budget);
  if (sign == "not in") return !contains(b, a, budget);
  // Each by itself, as with a number that is none all of them are false.
  if (sign == "<") return less(a, b, budget);
  if (sign == ">") return less(b, a, budget);
  if (sign == "<=") return less(a, b, budget) || equal(a, b, budget);
  return less(b, a, budget) || equal(a, b, budget);
}

Value slice(const Value& value, const Value& start, const Value& stop, const Value& step,
            Budget& budget) {
  if (value.is_text()) {
    std::vector<Value> characters = iterate(value, budget);
    std::string out;
    for (size_t at : places(static_cast<int64_t>(characters.size()), start, stop, step, budget))
      out += characters[at].as_text();
    return Value::text(out);
  }
  if (value.is_undefined()) throw Failure(str("a slice of ", value.type_name()));
  // Python has no slices of the others, which for Jinja are undefined then.
  if (!value.is_list() || value.as_list().kind > List::Kind::range)
    return Value::undefined("a slice of what has none");
  const List& list = value.as_list();
  std::vector<Value> items;
  for (size_t at : places(static_cast<int64_t>(list.items.size()), start, stop, step, budget))
    items.push_back(list.items[at]);
  return make_sequence(list.kind, std::move(items));
}

Value item(const Value& value, const Value& at) {
  if (value.is_undefined()) throw Failure(str(value.type_name(), " has no items"));
  if (value.is_dict() && at.is_text()) {
    if (const Value* found = value.as_dict().find(at.as_text())) return *found;
    return attribute(value, at.as_text());
  }
  bool numeric = at.is<int64_t>() || at.is<bool>();
  if (numeric && value.is_list() && value.as_list().kind <= List::Kind::range) {
    const auto& items = value.as_list().items;
    int64_t length = static_cast<int64_t>(items.size()), i = at.as_integer();
    if (i < 0) i += length;
    if (i >= 0 && i < length) return items[static_cast<size_t>(i)];
    return Value::undefined(str("item ", at.as_integer(), " of ", length));
  }
  if (numeric && value.is_text()) {
    const std::string& text = value.as_text();
    int64_t length = count_characters(text), i = at.as_integer();
    if (i < 0) i += length;
    size_t byte = 0;
    for (int64_t k = 0; k < i && byte < text.size(); ++k) byte += character_size(text, byte);
    if (i >= 0 && i < length) return Value::text(text.substr(byte, character_size(text, byte)));
    return Value::undefined(str("character ", at.as_integer(), " of ", length));
  }
  if (at.is_text()) return attribute(value, at.as_text());
  return Value::undefined(str("an item of a ", value.type_name()));
}

}  // namespace anneal::jinja
