#include "anneal/data/jinja/value.hpp"

#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/function.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

// Deeper than any conversation or tool is; walking through a value recurses.
constexpr int kDeepest = 100;

void check_depth(int depth) {
  if (depth > kDeepest) throw Failure(str("values are nested deeper than ", kDeepest, " levels"));
}

}  // namespace

void Budget::step(int64_t steps) {
  steps_ += steps;
  if (steps_ > kSteps)
    throw Failure(str("rendering takes more than ", kSteps, " steps (does the template end?)"));
}

void Budget::allocate(int64_t bytes) {
  if (bytes > kBytes - bytes_)
    throw Failure(str("rendering makes more than ", kBytes >> 20, " MiB of values"));
  bytes_ += bytes;
}

Value Value::undefined(std::string name) {
  return Held(Undefined{std::make_shared<const std::string>(std::move(name))});
}

Value Value::text(std::string s) { return Held(std::make_shared<const std::string>(std::move(s))); }

Value Value::list(std::vector<Value> items) {
  return make_sequence(List::Kind::list, std::move(items));
}

Value Value::dict(Dict dict) {
  check_depth(dict.depth());
  return Held(std::make_shared<const Dict>(std::move(dict)));
}

Value make_sequence(List::Kind kind, std::vector<Value> items) {
  auto list = std::make_shared<List>();
  list->kind = kind;
  for (const Value& item : items) list->depth = std::max(list->depth, 1 + item.depth());
  check_depth(list->depth);
  list->items = std::move(items);
  return Value::Held(std::move(list));
}

int64_t Value::as_integer() const {
  if (is<bool>()) return std::get<bool>(held_) ? 1 : 0;
  return std::get<int64_t>(held_);
}

double Value::as_real() const {
  return is<double>() ? std::get<double>(held_) : static_cast<double>(as_integer());
}

std::string Value::type_name() const {
  struct Names {
    std::string operator()(const Undefined& u) const {
      return u.name ? str("undefined (", *u.name, ")") : "undefined";
    }
    std::string operator()(None) const { return "None"; }
    std::string operator()(bool) const { return "bool"; }
    std::string operator()(int64_t) const { return "int"; }
    std::string operator()(double) const { return "float"; }
    std::string operator()(const Text&) const { return "str"; }
    std::string operator()(const std::shared_ptr<List>& l) const {
      constexpr const char* names[] = {"list", "tuple", "range", "view of a dict", "generator"};
      return names[static_cast<int>(l->kind)];
    }
    std::string operator()(const std::shared_ptr<const Dict>&) const { return "dict"; }
    std::string operator()(const std::shared_ptr<Namespace>&) const { return "namespace"; }
    std::string operator()(const std::shared_ptr<Loop>&) const { return "loop"; }
    std::string operator()(const std::shared_ptr<const Function>&) const { return "function"; }
  };
  return std::visit(Names{}, held_);
}

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (is<double>()) return std::get<double>(held_) != 0;
  if (is_number()) return as_integer() != 0;
  if (is_text()) return !as_text().empty();
  if (is_list()) return as_list().kind == List::Kind::generator || !as_list().items.empty();
  if (is_dict()) return !as_dict().members().empty();
  return true;
}

int Value::depth() const {
  if (is_list()) return as_list().depth;
  return is_dict() ? as_dict().depth() : 0;
}

void Dict::set(std::string key, Value value) {
  depth_ = std::max(depth_, 1 + value.depth());
  auto [at, added] = places_.emplace(key, members_.size());
  if (added) {
    members_.emplace_back(std::move(key), std::move(value));
  } else {
    members_[at->second].second = std::move(value);
  }
}

const Value* Dict::find(const std::string& key) const {
  auto at = places_.find(key);
  return at == places_.end() ? nullptr : &members_[at->second].second;
}

std::vector<Value> iterate(const Value& value, Budget& budget) {
  std::vector<Value> items;
  auto room = [&](size_t count) {
    budget.step(static_cast<int64_t>(count));
    budget.allocate(static_cast<int64_t>(count * sizeof(Value)));
    items.reserve(count);
  };
  if (value.is_undefined()) return items;
  if (value.is_list()) {
    List& list = *std::get<std::shared_ptr<List>>(value.held());
    if (list.kind == List::Kind::generator && std::exchange(list.consumed, true)) return items;
    room(list.items.size());
    items = list.items;
  } else if (value.is_dict()) {
    room(value.as_dict().members().size());
    for (const Dict::Member& member : value.as_dict().members())
      items.push_back(Value::text(member.first));
  } else if (value.is_text()) {
    const std::string& text = value.as_text();
    room(text.size());
    for (size_t at = 0; at < text.size();) {
      size_t size = character_size(text, at);
      items.push_back(Value::text(text.substr(at, size)));
      at += size;
    }
  } else {
    throw Failure(str("a ", value.type_name(), " cannot be walked through"));
  }
  return items;
}

namespace {

bool equal_lists(const List& a, const List& b, Budget& budget) {
  if (a.kind == List::Kind::view || b.kind == List::Kind::view)
    throw Failure("comparing a view of a dict is not supported");
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  if (a.kind == List::Kind::generator) return &a == &b;
  for (size_t i = 0; i < a.items.size(); ++i)
    if (!equal(a.items[i], b.items[i], budget)) return false;
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b, Budget& budget) {
  if (a.members().size() != b.members().size()) return false;
  for (const Dict::Member& member : a.members()) {
    const Value* other = b.find(member.first);
    if (!other || !equal(member.second, *other, budget)) return false;
  }
  return true;
}

}  // namespace

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.step();
  if (a.is_number() && b.is_number()) {
    if (a.is<double>() || b.is<double>()) return a.as_real() == b.as_real();
    return a.as_integer() == b.as_integer();
  }
  if (a.held().index() != b.held().index()) return false;
  if (a.is_text()) {
    budget.step(static_cast<int64_t>(a.as_text().size() / 64 * (b.as_text().size() / 64 + 1)));
    return a.as_text() == b.as_text();
  }
  if (a.is_list()) return equal_lists(a.as_list(), b.as_list(), budget);
  if (a.is_dict()) return equal_dicts(a.as_dict(), b.as_dict(), budget);
  if (a.is_undefined() || a.is_none()) return true;
  return std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        if constexpr (requires { x.get(); }) return x == std::get<T>(b.held());
        return false;
      },
      a.held());
}

bool less(const Value& a, const Value& b, Budget& budget) {
  budget.step();
  if (a.is_number() && b.is_number()) {
    if (a.is<double>() || b.is<double>()) return a.as_real() < b.as_real();
    return a.as_integer() < b.as_integer();
  }
  // The bytes of UTF-8 are in the order of the characters.
  if (a.is_text() && b.is_text()) return a.as_text() < b.as_text();
  if (a.is_list() && b.is_list() && a.as_list().kind == b.as_list().kind &&
      a.as_list().kind <= List::Kind::tuple) {
    const auto &x = a.as_list().items, &y = b.as_list().items;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i)
      if (!equal(x[i], y[i], budget)) return less(x[i], y[i], budget);
    return x.size() < y.size();
  }
  throw Failure(str("a ", a.type_name(), " cannot be ordered with a ", b.type_name()));
}

bool contains(const Value& a, const Value& b, Budget& budget) {
  if (a.is_undefined()) return false;
  if (a.is_text()) {
    if (!b.is_text())
      throw Failure(str("expected a str in front of `in` a str, got ", b.type_name()));
    budget.step(static_cast<int64_t>(a.as_text().size() / 64 * (b.as_text().size() / 64 + 1)));
    return a.as_text().find(b.as_text()) != std::string::npos;
  }
  if (a.is_dict()) {
    if (b.is_list() || b.is_dict())
      throw Failure(str("a ", b.type_name(), " cannot be looked up in a dict"));
    return b.is_text() && a.as_dict().find(b.as_text());
  }
  if (!a.is_list()) throw Failure(str("nothing can be `in` a ", a.type_name()));
  for (const Value& item : iterate(a, budget))
    if (equal(item, b, budget)) return true;
  return false;
}

}  // namespace anneal::jinja
