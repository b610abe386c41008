#pragma once

#include <ctime>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "anneal/data/jinja/syntax.hpp"

namespace anneal::jinja {

// Names and what they stand for, inside of those of `parent`.
struct Scope {
  std::unordered_map<std::string, Value> names;
  std::shared_ptr<Scope> parent;
};

// What can be called.
class Function {
 public:
  enum class Kind { global, method, macro };
  Kind kind = Kind::global;
  std::string name;
  Value receiver;               // of a method
  const Node* macro = nullptr;  // with the scope that it was defined in
  std::shared_ptr<Scope> scope;
};

// The variable `loop`, and the state of its loop. Where a loop has a condition, an item is tested
// when it is asked for, as conditions may depend on what the body has done.
class Loop {
 public:
  Loop(std::vector<Value> items, std::function<bool(const Value&)> wanted)
      : source_(std::move(items)), wanted_(std::move(wanted)) {}

  // Goes to the next item; false after the last.
  bool advance() { return reach(static_cast<size_t>(++index_)); }
  const Value& item() const { return items_[static_cast<size_t>(index_)]; }

  // Throws Failure for what a loop does not have.
  Value attribute(const std::string& name);
  Value call(const std::string& name, const std::vector<Value>& arguments, Budget& budget);

 private:
  bool reach(size_t index);
  Value item_or_undefined(int64_t index, const char* name);

  std::vector<Value> source_, items_;
  size_t tested_ = 0;  // of the source
  std::function<bool(const Value&)> wanted_;
  int64_t index_ = -1;
  std::vector<Value> last_changed_;
  bool changed_before_ = false;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Arguments by the names of their parameters. Throws Failure for those that `what` does not take,
// or lacks.
class Bound {
 public:
  Bound(const std::string& what, const Arguments& arguments,
        std::initializer_list<const char*> parameters, size_t required = 0);
  bool has(size_t i) const { return !values_[i].is_undefined(); }
  const Value& operator[](size_t i) const { return values_[i]; }
  // Throw Failure for other types.
  int64_t integer(size_t i, int64_t fallback) const;
  bool flag(size_t i, bool fallback) const { return has(i) ? values_[i].truth() : fallback; }
  const std::string& text(size_t i) const;

 private:
  std::string what_;
  std::vector<const char*> parameters_;
  std::vector<Value> values_;
};

// What evaluation may use of the world.
struct Surroundings {
  Budget budget;
  std::tm now{};  // what strftime_now writes
};

// Operators of two values, but for those that compare. Throws Failure where Python raises.
Value binary(const std::string& sign, const Value& a, const Value& b, Budget& budget);
bool compare(const std::string& sign, const Value& a, const Value& b, Budget& budget);
Value slice(const Value& value, const Value& start, const Value& stop, const Value& step,
            Budget& budget);

// value.name and value[at]: undefined where there is none. Throws Failure for undefined values, and
// for what Python has and this does not.
Value attribute(const Value& value, const std::string& name);
Value item(const Value& value, const Value& at);

Value call_method(const Value& receiver, const std::string& name, const Arguments& arguments,
                  Surroundings& with);
// Functions that templates have from the start, but for namespace.
bool is_global(const std::string& name);
Value call_global(const std::string& name, const Arguments& arguments, Surroundings& with);

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments,
                   Surroundings& with);
bool apply_test(const std::string& name, const Value& value, const Arguments& arguments,
                Surroundings& with);
// Throw Failure if there is no filter or test of this name.
void check_filter(const std::string& name);
void check_test(const std::string& name);

}  // namespace anneal::jinja
