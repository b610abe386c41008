#pragma once

#include <initializer_list>

#include "anneal/data/jinja/syntax.hpp"

namespace anneal::jinja {

// Walks over the tokens of a template and builds expressions; statements are built on top of it.
// Follows jinja2/parser.py, from which the precedence of the operators is.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, const std::string& where)
      : tokens_(std::move(tokens)), where_(where) {}

 protected:
  // Where an expression without brackets around it may be a tuple, and what it consists of.
  struct TupleOptions {
    bool targets = false;     // names only
    bool namespaces = false;  // also NAME.MEMBER, of a namespace
    bool conditional = true;  // A if B else C
    bool brackets = false;    // in brackets, so that it may be empty
    const char* end = "";     // a word that ends it
  };

  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void unexpected(const std::string& expected) const;
  const Token& current() const { return tokens_[place_]; }
  const Token& ahead() const { return tokens_[std::min(place_ + 1, tokens_.size() - 1)]; }
  bool is(Token::Kind kind) const { return current().kind == kind; }
  bool is_sign(const char* text) const { return is(Token::Kind::sign) && current().text == text; }
  bool is_word(const char* text) const { return is(Token::Kind::name) && current().text == text; }
  void advance() {
    if (place_ + 1 < tokens_.size()) ++place_;
  }
  bool skip_sign(const char* text);
  bool skip_word(const char* text);
  void expect_sign(const char* text);
  void expect(Token::Kind kind, const char* what);
  std::string expect_name();

  // A node of the current line over these children. Trees that are too deep are refused, as all
  // that walks over them recurses.
  NodePointer node(Node::Kind kind, std::string name = "") const;
  void adopt(Node& parent, NodePointer child) const;
  template <class... Children>
  NodePointer node_of(Node::Kind kind, std::string name, Children... children) const {
    NodePointer parent = node(kind, std::move(name));
    (adopt(*parent, std::move(children)), ...);
    return parent;
  }

  NodePointer expression(bool conditional = true);
  NodePointer tuple(const TupleOptions& options);
  NodePointer filters(NodePointer value);
  // What may be assigned to.
  void check_target(const Node& target) const;

  // Counts how deep the parser has called itself.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

 private:
  NodePointer logical_or();
  NodePointer logical_and();
  NodePointer logical_not();
  NodePointer comparison();
  NodePointer sum();
  NodePointer concatenation();
  NodePointer product();
  NodePointer power();
  NodePointer unary(bool with_filters);
  NodePointer primary(bool namespaces = false);
  NodePointer list();
  NodePointer dict();
  NodePointer postfix(NodePointer value);
  NodePointer filter_or_test(NodePointer value);
  NodePointer subscript(NodePointer value);
  NodePointer subscribed();
  NodePointer filter(NodePointer value);
  NodePointer test(NodePointer value);
  void arguments(Node& call);
  bool ends_tuple(const char* word) const;

  std::vector<Token> tokens_;
  const std::string& where_;
  size_t place_ = 0;
  int nesting_ = 0;
};

}  // namespace anneal::jinja
