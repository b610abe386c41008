#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/parser.hpp"

namespace anneal::jinja {
namespace {

constexpr int kDeepestTree = 200;
constexpr int kDeepestNesting = 100;
constexpr size_t kMostArguments = 64;  // children of a call

using Kind = Node::Kind;

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (parser_.nesting_ >= kDeepestNesting)
    parser_.fail(str("brackets or statements are nested deeper than ", kDeepestNesting, " levels"));
  ++parser_.nesting_;
}

void ExpressionParser::fail(const std::string& what) const {
  throw FormatError(str("[", where_, ":", current().line, "] ", what));
}

void ExpressionParser::unexpected(const std::string& expected) const {
  fail(str("expected ", expected, ", got ", current().text));
}

bool ExpressionParser::skip_sign(const char* text) {
  bool there = is_sign(text);
  if (there) advance();
  return there;
}

bool ExpressionParser::skip_word(const char* text) {
  bool there = is_word(text);
  if (there) advance();
  return there;
}

void ExpressionParser::expect_sign(const char* text) {
  if (!skip_sign(text)) unexpected(text);
}

void ExpressionParser::expect(Token::Kind kind, const char* what) {
  if (!is(kind)) unexpected(what);
  advance();
}

std::string ExpressionParser::expect_name() {
  if (!is(Token::Kind::name)) unexpected("a name");
  std::string name = current().text;
  advance();
  return name;
}

NodePointer ExpressionParser::node(Kind kind, std::string name) const {
  auto made = std::make_unique<Node>();
  made->kind = kind;
  made->line = current().line;
  made->name = std::move(name);
  return made;
}

void ExpressionParser::adopt(Node& parent, NodePointer child) const {
  if (child) parent.depth = std::max(parent.depth, child->depth + 1);
  if (parent.depth > kDeepestTree)
    fail(str("an expression is nested, or chained, more than ", kDeepestTree, " levels deep"));
  parent.children.push_back(std::move(child));
}

NodePointer ExpressionParser::expression(bool conditional) {
  Nesting nesting(*this);
  NodePointer value = logical_or();
  while (conditional && skip_word("if")) {
    NodePointer condition = logical_or();
    NodePointer otherwise = skip_word("else") ? expression() : nullptr;
    value = node_of(Kind::conditional, "", std::move(value), std::move(condition),
                    std::move(otherwise));
  }
  return value;
}

NodePointer ExpressionParser::logical_or() {
  NodePointer left = logical_and();
  while (skip_word("or")) left = node_of(Kind::logical_or, "", std::move(left), logical_and());
  return left;
}

NodePointer ExpressionParser::logical_and() {
  NodePointer left = logical_not();
  while (skip_word("and")) left = node_of(Kind::logical_and, "", std::move(left), logical_not());
  return left;
}

NodePointer ExpressionParser::logical_not() {
  Nesting nesting(*this);
  if (skip_word("not")) return node_of(Kind::logical_not, "", logical_not());
  return comparison();
}

NodePointer ExpressionParser::comparison() {
  NodePointer first = sum();
  NodePointer compare;
  while (true) {
    std::string sign;
    for (const char* text : {"==", "!=", ">", ">=", "<", "<="})
      if (is_sign(text)) sign = text;
    if (is_word("in")) sign = "in";
    if (is_word("not") && ahead().kind == Token::Kind::name && ahead().text == "in") {
      sign = "not in";
      advance();
    }
    if (sign.empty()) break;
    advance();
    if (!compare) compare = node_of(Kind::compare, "", std::move(first));
    compare->keywords.push_back(sign);
    adopt(*compare, sum());
  }
  return compare ? std::move(compare) : std::move(first);
}

NodePointer ExpressionParser::sum() {
  NodePointer left = concatenation();
  while (is_sign("+") || is_sign("-")) {
    std::string sign = current().text;
    advance();
    left = node_of(Kind::binary, sign, std::move(left), concatenation());
  }
  return left;
}

NodePointer ExpressionParser::concatenation() {
  NodePointer first = product();
  if (!is_sign("~")) return first;
  NodePointer all = node_of(Kind::concatenate, "", std::move(first));
  while (skip_sign("~")) adopt(*all, product());
  return all;
}

NodePointer ExpressionParser::product() {
  NodePointer left = power();
  while (is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%")) {
    std::string sign = current().text;
    advance();
    left = node_of(Kind::binary, sign, std::move(left), power());
  }
  return left;
}

NodePointer ExpressionParser::power() {
  NodePointer left = unary(true);
  while (skip_sign("**")) left = node_of(Kind::binary, "**", std::move(left), unary(true));
  return left;
}

NodePointer ExpressionParser::unary(bool with_filters) {
  Nesting nesting(*this);
  NodePointer value;
  if (skip_sign("-")) {
    value = node_of(Kind::negative, "", unary(false));
  } else if (skip_sign("+")) {
    value = node_of(Kind::positive, "", unary(false));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filter_or_test(std::move(value)) : std::move(value);
}

NodePointer ExpressionParser::primary(bool namespaces) {
  Nesting nesting(*this);
  if (is(Token::Kind::name)) {
    NodePointer value = node(Kind::name, current().text);
    advance();
    const std::string& name = value->name;
    if (namespaces && skip_sign(".")) return node_of(Kind::member, expect_name(), std::move(value));
    auto constant = [&](Value v) {
      value->kind = Kind::constant;
      value->value = std::move(v);
    };
    if (name == "true" || name == "True") constant(Value::boolean(true));
    if (name == "false" || name == "False") constant(Value::boolean(false));
    if (name == "none" || name == "None") constant(Value::none());
    return value;
  }
  if (is(Token::Kind::constant)) {
    NodePointer value = node(Kind::constant);
    value->value = current().value;
    advance();
    // Strings that stand one behind the other are one.
    while (value->value.is_text() && is(Token::Kind::constant) && current().value.is_text()) {
      value->value = Value::text(value->value.as_text() + current().value.as_text());
      advance();
    }
    return value;
  }
  if (skip_sign("(")) {
    NodePointer value = tuple({.brackets = true});
    expect_sign(")");
    return value;
  }
  if (is_sign("[")) return list();
  if (is_sign("{")) return dict();
  unexpected("an expression");
}

bool ExpressionParser::ends_tuple(const char* word) const {
  return is(Token::Kind::variable_end) || is(Token::Kind::block_end) || is_sign(")") ||
         (*word && is_word(word));
}

NodePointer ExpressionParser::tuple(const TupleOptions& options) {
  NodePointer items = node(Kind::tuple);
  bool comma = false;
  while (true) {
    if (!items->children.empty()) expect_sign(",");
    if (ends_tuple(options.end)) break;
    adopt(*items, options.targets ? primary(options.namespaces) : expression(options.conditional));
    if (!is_sign(",")) break;
    comma = true;
  }
  if (comma) return items;
  if (!items->children.empty()) return std::move(items->children.front());
  if (!options.brackets) unexpected("an expression");
  return items;
}

NodePointer ExpressionParser::list() {
  NodePointer items = node(Kind::list);
  expect_sign("[");
  while (!is_sign("]")) {
    adopt(*items, expression());
    if (!is_sign("]")) expect_sign(",");
  }
  advance();
  return items;
}

NodePointer ExpressionParser::dict() {
  NodePointer items = node(Kind::dict);
  expect_sign("{");
  while (!is_sign("}")) {
    adopt(*items, expression());
    expect_sign(":");
    adopt(*items, expression());
    if (!is_sign("}")) expect_sign(",");
  }
  advance();
  return items;
}

NodePointer ExpressionParser::postfix(NodePointer value) {
  while (true) {
    if (is_sign(".") || is_sign("[")) {
      value = subscript(std::move(value));
    } else if (is_sign("(")) {
      NodePointer call = node_of(Kind::call, "", std::move(value));
      arguments(*call);
      value = std::move(call);
    } else {
      return value;
    }
  }
}

NodePointer ExpressionParser::filter_or_test(NodePointer value) {
  while (true) {
    if (is_sign("|")) {
      value = filters(std::move(value));
    } else if (is_word("is")) {
      value = test(std::move(value));
    } else if (is_sign("(")) {
      NodePointer call = node_of(Kind::call, "", std::move(value));
      arguments(*call);
      value = std::move(call);
    } else {
      return value;
    }
  }
}

NodePointer ExpressionParser::subscript(NodePointer value) {
  if (skip_sign(".")) {
    if (is(Token::Kind::name)) return node_of(Kind::attribute, expect_name(), std::move(value));
    if (!is(Token::Kind::constant) || !current().value.is<int64_t>())
      unexpected("a name or a number behind the dot");
    return node_of(Kind::item, "", std::move(value), primary());
  }
  expect_sign("[");
  NodePointer at = subscribed();
  if (is_sign(",")) fail("several indices in one pair of brackets are not supported");
  expect_sign("]");
  return node_of(Kind::item, "", std::move(value), std::move(at));
}

NodePointer ExpressionParser::subscribed() {
  NodePointer parts[3];
  if (!is_sign(":")) {
    parts[0] = expression();
    if (!is_sign(":")) return std::move(parts[0]);
  }
  for (int i = 1; i < 3 && skip_sign(":"); ++i)
    if (!is_sign(":") && !is_sign("]")) parts[i] = expression();
  return node_of(Kind::slice, "", std::move(parts[0]), std::move(parts[1]), std::move(parts[2]));
}

void ExpressionParser::arguments(Node& call) {
  expect_sign("(");
  while (!is_sign(")")) {
    if (is_sign("*") || is_sign("**")) fail("* and ** in front of arguments are not supported");
    if (is(Token::Kind::name) && ahead().kind == Token::Kind::sign && ahead().text == "=") {
      call.keywords.push_back(expect_name());
      advance();
    } else if (!call.keywords.empty()) {
      fail("expected NAME=VALUE behind another NAME=VALUE");
    }
    adopt(call, expression());
    if (call.children.size() > kMostArguments)
      fail(str("expected fewer than ", kMostArguments, " arguments"));
    if (!is_sign(")")) expect_sign(",");
  }
  advance();
}

NodePointer ExpressionParser::filters(NodePointer value) {
  while (skip_sign("|")) value = filter(std::move(value));
  return value;
}

NodePointer ExpressionParser::filter(NodePointer value) {
  std::string name = expect_name();
  NodePointer call = node_of(Kind::filter, name, std::move(value));
  if (is_sign("(")) arguments(*call);
  return call;
}

NodePointer ExpressionParser::test(NodePointer value) {
  advance();
  bool negated = skip_word("not");
  std::string name = expect_name();
  NodePointer call = node_of(Kind::test, name, std::move(value));
  bool operand = is(Token::Kind::name) || is(Token::Kind::constant) || is_sign("[") || is_sign("{");
  if (is_sign("(")) {
    arguments(*call);
  } else if (operand && !is_word("else") && !is_word("or") && !is_word("and")) {
    if (is_word("is")) fail("tests cannot be chained with `is`");
    adopt(*call, postfix(primary()));
  }
  return negated ? node_of(Kind::logical_not, "", std::move(call)) : std::move(call);
}

void ExpressionParser::check_target(const Node& target) const {
  if (target.kind == Kind::tuple)
    for (const NodePointer& child : target.children) check_target(*child);
  else if (target.kind != Kind::name && target.kind != Kind::member)
    fail("expected a name to assign to");
}

}  // namespace anneal::jinja
