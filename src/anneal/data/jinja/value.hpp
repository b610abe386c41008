#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "anneal/data/jinja/budget.hpp"

namespace anneal::jinja {

class Dict;
class Function;
class Loop;
class Value;
struct List;
struct Namespace;

struct Undefined {
  std::shared_ptr<const std::string> name;  // for messages
};
struct None {};

// A value of a template's expressions: what Python has, as far as templates use it. Containers
// never change once they are made, but for namespaces. Cheap to copy.
class Value {
 public:
  using Text = std::shared_ptr<const std::string>;
  using Held = std::variant<Undefined, None, bool, int64_t, double, Text, std::shared_ptr<List>,
                            std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                            std::shared_ptr<Loop>, std::shared_ptr<const Function>>;

  Value() = default;  // undefined
  Value(Held held) : held_(std::move(held)) {}
  static Value undefined(std::string name);
  static Value none() { return Held(None{}); }
  static Value boolean(bool b) { return Held(b); }
  static Value integer(int64_t i) { return Held(i); }
  static Value real(double d) { return Held(d); }
  static Value text(std::string s);
  // Throws Failure where the containers in it are nested too deep.
  static Value list(std::vector<Value> items);
  static Value dict(Dict dict);

  template <class T>
  bool is() const {
    return std::holds_alternative<T>(held_);
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  bool is_text() const { return is<Text>(); }
  bool is_list() const { return is<std::shared_ptr<List>>(); }
  bool is_dict() const { return is<std::shared_ptr<const Dict>>(); }
  bool is_number() const { return is<int64_t>() || is<double>() || is<bool>(); }

  // Of the kind that it is.
  const std::string& as_text() const { return *std::get<Text>(held_); }
  const List& as_list() const { return *std::get<std::shared_ptr<List>>(held_); }
  const Dict& as_dict() const { return *std::get<std::shared_ptr<const Dict>>(held_); }
  const Held& held() const { return held_; }
  // Of a boolean or an integer.
  int64_t as_integer() const;
  // Of any number.
  double as_real() const;

  // Python's name of its type, for messages.
  std::string type_name() const;
  bool truth() const;
  // How deep the containers in it are nested.
  int depth() const;

 private:
  Held held_;
};

// A sequence. Views and generators are what dict.items() and filters such as map give: Python shows
// and indexes them otherwise than lists.
struct List {
  enum class Kind { list, tuple, range, view, generator };
  Kind kind = Kind::list;
  std::vector<Value> items;
  int depth = 1;
  bool consumed = false;  // of a generator, which can be walked through once
};
Value make_sequence(List::Kind kind, std::vector<Value> items);

// A mapping with strings as keys, in order of insertion.
class Dict {
 public:
  using Member = std::pair<std::string, Value>;
  // Replaces the value of a key that is there, which keeps its place.
  void set(std::string key, Value value);
  const Value* find(const std::string& key) const;
  const std::vector<Member>& members() const { return members_; }
  int depth() const { return depth_; }

 private:
  std::vector<Member> members_;
  std::unordered_map<std::string, size_t> places_;
  int depth_ = 1;
};

struct Namespace {
  Dict members;
};

// The items that a value is walked through as; a generator is used up by it. Throws Failure if it
// has none.
std::vector<Value> iterate(const Value& value, Budget& budget);

// a == b, a < b and b in a as Python has them.
bool equal(const Value& a, const Value& b, Budget& budget);
bool less(const Value& a, const Value& b, Budget& budget);
bool contains(const Value& a, const Value& b, Budget& budget);

// A JSON text as a value. Throws Failure if it is malformed or nested too deep.
Value parse_json(std::string_view text);

}  // namespace anneal::jinja
