#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/function.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

struct Call {
  const Value& value;
  const Bound& with;
  Budget& budget;
};

struct Test {
  const char* name;
  size_t operands;
  bool (*holds)(const Call&);
};

int64_t whole(const Value& value) {
  if (!value.is<int64_t>() && !value.is<bool>())
    throw Failure(str("the test expects an int, got ", value.type_name()));
  return value.as_integer();
}

bool is_list_of(const Value& value, List::Kind least, List::Kind most) {
  return value.is_list() && value.as_list().kind >= least && value.as_list().kind <= most;
}

bool is_cased(const Value& value, Budget& budget, std::string (*change)(std::string_view),
              std::string (*other)(std::string_view)) {
  std::string text = to_text(value, budget);
  return change(text) == text && other(text) != text;
}

template <const char* sign>
bool compared(const Call& c) {
  return compare(sign, c.value, c.with[0], c.budget);
}
constexpr char kEq[] = "==", kNe[] = "!=", kLt[] = "<", kLe[] = "<=", kGt[] = ">",
               kGe[] = ">=", kIn[] = "in";

constexpr Test kTests[] = {
    {"defined", 0, [](const Call& c) { return !c.value.is_undefined(); }},
    {"undefined", 0, [](const Call& c) { return c.value.is_undefined(); }},
    {"none", 0, [](const Call& c) { return c.value.is_none(); }},
    {"boolean", 0, [](const Call& c) { return c.value.is<bool>(); }},
    {"true", 0, [](const Call& c) { return c.value.is<bool>() && c.value.truth(); }},
    {"false", 0, [](const Call& c) { return c.value.is<bool>() && !c.value.truth(); }},
    {"integer", 0, [](const Call& c) { return c.value.is<int64_t>(); }},
    {"float", 0, [](const Call& c) { return c.value.is<double>(); }},
    {"number", 0, [](const Call& c) { return c.value.is_number(); }},
    {"string", 0, [](const Call& c) { return c.value.is_text(); }},
    {"mapping", 0, [](const Call& c) { return c.value.is_dict(); }},
    {"iterable", 0,
     [](const Call& c) {
       return c.value.is_undefined() || c.value.is_text() || c.value.is_list() || c.value.is_dict();
     }},
    {"sequence", 0,
     [](const Call& c) {
       return c.value.is_undefined() || c.value.is_text() || c.value.is_dict() ||
              is_list_of(c.value, List::Kind::list, List::Kind::range);
     }},
    {"callable", 0, [](const Call& c) { return c.value.is<std::shared_ptr<const Function>>(); }},
    {"odd", 0, [](const Call& c) { return whole(c.value) % 2 != 0; }},
    {"even", 0, [](const Call& c) { return whole(c.value) % 2 == 0; }},
    {"lower", 0, [](const Call& c) { return is_cased(c.value, c.budget, lower, upper); }},
    {"upper", 0, [](const Call& c) { return is_cased(c.value, c.budget, upper, lower); }},
    {"divisibleby", 1,
     [](const Call& c) {
       Value rest = binary("%", c.value, c.with[0], c.budget);
       return !rest.truth();
     }},
    {"sameas", 1,
     [](const Call& c) {
       bool single = c.value.is_none() || c.value.is<bool>();
       if (!single && !c.with[0].is_none() && !c.with[0].is<bool>())
         throw Failure("the test sameas is supported for none, true and false");
       return c.value.held().index() == c.with[0].held().index() &&
              c.value.truth() == c.with[0].truth();
     }},
    {"eq", 1, compared<kEq>},
    {"equalto", 1, compared<kEq>},
    {"ne", 1, compared<kNe>},
    {"lt", 1, compared<kLt>},
    {"lessthan", 1, compared<kLt>},
    {"le", 1, compared<kLe>},
    {"gt", 1, compared<kGt>},
    {"greaterthan", 1, compared<kGt>},
    {"ge", 1, compared<kGe>},
    {"in", 1, compared<kIn>},
    // As arguments of select and its like.
    {"==", 1, compared<kEq>},
    {"!=", 1, compared<kNe>},
    {"<", 1, compared<kLt>},
    {"<=", 1, compared<kLe>},
    {">", 1, compared<kGt>},
    {">=", 1, compared<kGe>},
};

const Test& find_test(const std::string& name) {
  std::string known;
  for (const Test& test : kTests) {
    if (name == test.name) return test;
    known += str(known.empty() ? "" : ", ", test.name);
  }
  throw Failure(str("the test \"", name, "\" is not supported; supported are ", known));
}

}  // namespace

void check_test(const std::string& name) { (void)find_test(name); }

bool apply_test(const std::string& name, const Value& value, const Arguments& arguments,
                Surroundings& with) {
  const Test& test = find_test(name);
  with.budget.step();
  std::string what = str("the test ", name);
  if (test.operands == 0) return test.holds({value, Bound(what, arguments, {}), with.budget});
  return test.holds({value, Bound(what, arguments, {"other"}, 1), with.budget});
}

}  // namespace anneal::jinja
