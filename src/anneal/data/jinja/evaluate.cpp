#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/renderer.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

using Kind = Node::Kind;

Value global(const std::string& name) {
  auto function = std::make_shared<Function>();
  function->name = name;
  return Value::Held(std::shared_ptr<const Function>(std::move(function)));
}

}  // namespace

Value Renderer::evaluate(const Node& expression) {
  Depth depth(*this);
  with_.budget.step();
  line_ = expression.line;
  const Body& children = expression.children;
  switch (expression.kind) {
    case Kind::constant:
      return expression.value;
    case Kind::name:
      return evaluate_name(expression);
    case Kind::list:
      return Value::list(evaluate_all(children));
    case Kind::tuple:
      return make_sequence(List::Kind::tuple, evaluate_all(children));
    case Kind::dict:
      return evaluate_dict(expression);
    case Kind::attribute:
      return attribute(evaluate(*children[0]), expression.name);
    case Kind::item: {
      Value value = evaluate(*children[0]);
      const Node& at = *children[1];
      if (at.kind != Kind::slice) return item(value, evaluate(at));
      Value start = evaluate_or_none(at.children[0].get());
      Value stop = evaluate_or_none(at.children[1].get());
      return slice(value, start, stop, evaluate_or_none(at.children[2].get()), with_.budget);
    }
    case Kind::call:
      return evaluate_call(expression);
    case Kind::filter:
      return filtered(expression, Value());
    case Kind::test: {
      check_test(expression.name);
      Value value = evaluate(*children[0]);
      return Value::boolean(apply_test(expression.name, value, arguments_of(expression), with_));
    }
    case Kind::binary: {
      Value left = evaluate(*children[0]);
      return binary(expression.name, left, evaluate(*children[1]), with_.budget);
    }
    case Kind::compare:
      return evaluate_compare(expression);
    case Kind::concatenate:
      return evaluate_concatenation(expression);
    case Kind::logical_and: {
      Value left = evaluate(*children[0]);
      return left.truth() ? evaluate(*children[1]) : left;
    }
    case Kind::logical_or: {
      Value left = evaluate(*children[0]);
      return left.truth() ? left : evaluate(*children[1]);
    }
    case Kind::conditional:
      if (evaluate(*children[1]).truth()) return evaluate(*children[0]);
      return children[2] ? evaluate(*children[2]) : Value::undefined("an if without else");
    default:
      return evaluate_unary(expression);
  }
}

Value Renderer::evaluate_or_none(const Node* expression) {
  return expression ? evaluate(*expression) : Value::none();
}

std::vector<Value> Renderer::evaluate_all(const Body& expressions) {
  std::vector<Value> values;
  for (const NodePointer& expression : expressions) values.push_back(evaluate(*expression));
  with_.budget.allocate(static_cast<int64_t>(values.size() * sizeof(Value)));
  return values;
}

Value Renderer::evaluate_name(const Node& expression) {
  const std::string& name = expression.name;
  for (const Scope* scope = scope_.get(); scope; scope = scope->parent.get()) {
    auto at = scope->names.find(name);
    if (at != scope->names.end()) return at->second;
  }
  if (is_global(name)) return global(name);
  for (const char* special : {"varargs", "kwargs", "self", "super"})
    if (name == special) throw Failure(str("the variable ", name, " is not supported"));
  return Value::undefined(name);
}

Value Renderer::evaluate_dict(const Node& expression) {
  std::vector<Value> values = evaluate_all(expression.children);
  Dict dict;
  for (size_t i = 0; i < values.size(); i += 2) {
    if (!values[i].is_text())
      throw Failure(str("expected strs as keys of a dict, got ", values[i].type_name()));
    dict.set(values[i].as_text(), values[i + 1]);
  }
  return Value::dict(std::move(dict));
}

Value Renderer::evaluate_unary(const Node& expression) {
  Value value = evaluate(*expression.children[0]);
  if (expression.kind == Kind::logical_not) return Value::boolean(!value.truth());
  if (!value.is_number())
    throw Failure(str("expected a number behind the sign, got ", value.type_name()));
  bool negative = expression.kind == Kind::negative;
  if (value.is<double>()) return Value::real(negative ? -value.as_real() : value.as_real());
  return binary(negative ? "-" : "+", Value::integer(0), value, with_.budget);
}

Value Renderer::evaluate_compare(const Node& expression) {
  Value left = evaluate(*expression.children[0]);
  for (size_t i = 0; i < expression.keywords.size(); ++i) {
    Value right = evaluate(*expression.children[i + 1]);
    if (!compare(expression.keywords[i], left, right, with_.budget)) return Value::boolean(false);
    left = right;
  }
  return Value::boolean(true);
}

Value Renderer::evaluate_concatenation(const Node& expression) {
  std::string text;
  for (const Value& part : evaluate_all(expression.children)) text += to_text(part, with_.budget);
  return Value::text(std::move(text));
}

// The children are the value and then the arguments.
Arguments Renderer::arguments_of(const Node& call) {
  Arguments arguments;
  size_t named = call.children.size() - call.keywords.size();
  for (size_t i = 1; i < call.children.size(); ++i) {
    Value value = evaluate(*call.children[i]);
    if (i < named) {
      arguments.positional.push_back(std::move(value));
    } else {
      arguments.named.emplace_back(call.keywords[i - named], std::move(value));
    }
  }
  return arguments;
}

Value Renderer::filtered(const Node& expression, const Value& value) {
  check_filter(expression.name);
  const Node* inner = expression.children[0].get();
  // Of a block, whose innermost filter has no value of its own.
  bool chained = inner && inner->kind == Kind::filter && !value.is_undefined();
  Value input = chained ? filtered(*inner, value) : inner ? evaluate(*inner) : value;
  Arguments arguments = arguments_of(expression);
  line_ = expression.line;
  return apply_filter(expression.name, input, arguments, with_);
}

Value Renderer::evaluate_call(const Node& expression) {
  Value callee = evaluate(*expression.children[0]);
  if (!callee.is<std::shared_ptr<const Function>>())
    throw Failure(str("a ", callee.type_name(), " cannot be called"));
  Arguments arguments = arguments_of(expression);
  line_ = expression.line;
  auto function = std::get<std::shared_ptr<const Function>>(callee.held());
  if (function->kind == Function::Kind::method)
    return call_method(function->receiver, function->name, arguments, with_);
  if (function->kind == Function::Kind::macro) return call_macro(*function, arguments);
  if (function->name == "namespace") return make_namespace(arguments);
  return call_global(function->name, arguments, with_);
}

Value Renderer::make_namespace(const Arguments& arguments) {
  auto space = std::make_shared<Namespace>();
  if (arguments.positional.size() > 1) throw Failure("namespace() takes at most one dict");
  for (const Value& given : arguments.positional) {
    if (!given.is_dict()) throw Failure(str("namespace() expects a dict, got ", given.type_name()));
    space->members = given.as_dict();
  }
  for (const auto& member : arguments.named) space->members.set(member.first, member.second);
  kept_namespaces_.push_back(space);
  return Value::Held(space);
}

Value Renderer::call_macro(const Function& function, const Arguments& arguments) {
  const Node& macro = *function.macro;
  const auto& names = macro.keywords;
  if (arguments.positional.size() > names.size())
    throw Failure(str("the macro ", function.name, " takes at most ", names.size(),
                      " arguments, got ", arguments.positional.size()));
  Inside inside(*this, function.scope);
  for (size_t i = 0; i < arguments.positional.size(); ++i)
    scope_->names[names[i]] = arguments.positional[i];
  for (const auto& argument : arguments.named) {
    if (std::find(names.begin(), names.end(), argument.first) == names.end())
      throw Failure(str("the macro ", function.name, " has no parameter ", argument.first));
    if (!scope_->names.emplace(argument.first, argument.second).second)
      throw Failure(str("the macro ", function.name, " gets ", argument.first, " twice"));
  }
  size_t first_default = names.size() - macro.children.size();
  for (size_t i = 0; i < names.size(); ++i) {
    if (scope_->names.contains(names[i])) continue;
    scope_->names[names[i]] = i < first_default ? Value::undefined(names[i])
                                                : evaluate(*macro.children[i - first_default]);
  }
  return Value::text(captured(macro.bodies[0], scope_));
}

}  // namespace anneal::jinja
