#include <algorithm>

#include "anneal/base/error.hpp"
#include "anneal/data/jinja/parser.hpp"

namespace anneal::jinja {
namespace {

using Kind = Node::Kind;

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Body run() {
    Body all = body({});
    if (!is(Token::Kind::end)) unexpected("a statement");
    return all;
  }

 private:
  using Words = std::initializer_list<const char*>;

  // The statements up to a tag that begins with one of `ends`, which becomes the current token;
  // with none, up to the end of the template.
  Body body(Words ends) {
    Nesting nesting(*this);
    Body statements;
    while (!is(Token::Kind::end)) {
      if (is(Token::Kind::text)) {
        NodePointer text = node(Kind::text);
        text->value = Value::text(current().text);
        advance();
        statements.push_back(std::move(text));
      } else if (is(Token::Kind::variable_begin)) {
        advance();
        NodePointer output = node_of(Kind::output, "", tuple({}));
        // Marked as safe or not, a text is written as it is.
        NodePointer& value = output->children[0];
        if (value->kind == Kind::filter && value->name == "safe" && value->children.size() == 1)
          value = std::move(NodePointer(std::move(value))->children[0]);
        statements.push_back(std::move(output));
        expect(Token::Kind::variable_end, "}}");
      } else {
        expect(Token::Kind::block_begin, "{%");
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return is_word(end); }))
          return statements;
        statements.push_back(statement());
        expect(Token::Kind::block_end, "%}");
      }
    }
    if (ends.size() > 0) unexpected(str("{% ", *(ends.end() - 1), " %}"));
    return statements;
  }

  // What follows a tag, up to the tag that ends it, whose name is left as the current token.
  Body block(Words ends) {
    (void)skip_sign(":");
    expect(Token::Kind::block_end, "%}");
    return body(ends);
  }

  NodePointer statement() {
    if (skip_word("set")) return set();
    if (skip_word("for")) return loop();
    if (skip_word("if")) return branch();
    if (skip_word("macro")) return macro();
    if (skip_word("generation")) return generation();
    for (bool leave : {true, false}) {
      if (!skip_word(leave ? "break" : "continue")) continue;
      if (loops_ == 0) fail("break or continue outside of a loop");
      return node(leave ? Kind::leave : Kind::next);
    }
    fail(str("the tag \"", current().text,
             "\" is not supported; supported are set, for, if, macro, raw, generation, break and "
             "continue"));
  }

  NodePointer set() {
    NodePointer target = tuple({.targets = true, .namespaces = true});
    check_target(*target);
    if (skip_sign("=")) return node_of(Kind::set, "", std::move(target), tuple({}));
    NodePointer filter = is_sign("|") ? filters(nullptr) : nullptr;
    NodePointer statement = node_of(Kind::set_block, "", std::move(target), std::move(filter));
    apart([&] { statement->bodies.push_back(block({"endset"})); });
    advance();
    return statement;
  }

  NodePointer loop() {
    NodePointer target = tuple({.targets = true, .end = "in"});
    check_target(*target);
    if (!skip_word("in")) unexpected("in");
    NodePointer over = tuple({.conditional = false, .end = "recursive"});
    NodePointer condition = skip_word("if") ? expression() : nullptr;
    if (is_word("recursive")) fail("recursive loops are not supported (use a macro)");
    NodePointer statement =
        node_of(Kind::loop, "", std::move(target), std::move(over), std::move(condition));
    ++loops_;
    statement->bodies.push_back(block({"else", "endfor"}));
    --loops_;
    if (skip_word("else")) statement->otherwise = block({"endfor"});
    advance();
    return statement;
  }

  NodePointer branch() {
    NodePointer statement = node(Kind::branch);
    do {
      adopt(*statement, tuple({.conditional = false}));
      statement->bodies.push_back(block({"elif", "else", "endif"}));
    } while (skip_word("elif"));
    if (skip_word("else")) statement->otherwise = block({"endif"});
    advance();
    return statement;
  }

  NodePointer macro() {
    NodePointer statement = node(Kind::macro, expect_name());
    expect_sign("(");
    while (!is_sign(")")) {
      statement->keywords.push_back(expect_name());
      if (skip_sign("=")) {
        adopt(*statement, expression());
      } else if (!statement->children.empty()) {
        fail("expected a default for each parameter behind one that has a default");
      }
      if (!is_sign(")")) expect_sign(",");
    }
    advance();
    apart([&] { statement->bodies.push_back(block({"endmacro"})); });
    advance();
    return statement;
  }

  NodePointer generation() {
    NodePointer statement = node(Kind::generation);
    apart([&] { statement->bodies.push_back(block({"endgeneration"})); });
    advance();
    return statement;
  }

  // Parses what is a function of its own in Python, so that no loop can be left from inside.
  template <class Parse>
  void apart(const Parse& parse) {
    int loops = std::exchange(loops_, 0);
    parse();
    loops_ = loops;
  }

  int loops_ = 0;  // around the current statement
};

}  // namespace

Body parse_template(std::string_view source, const std::string& where) {
  return Parser(tokenize(source, where), where).run();
}

bool has_generation(const Body& body) {
  return std::any_of(body.begin(), body.end(), [](const NodePointer& node) {
    if (node->kind == Kind::generation || has_generation(node->otherwise)) return true;
    return std::any_of(node->bodies.begin(), node->bodies.end(), has_generation);
  });
}

}  // namespace anneal::jinja
