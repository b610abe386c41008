#pragma once

#include "anneal/data/jinja/function.hpp"

namespace anneal::jinja {

// Runs a parsed template once.
class Renderer {
 public:
  struct Span {
    size_t begin, end;
  };

  // The body and `where` are kept; `variables` are what the template can name.
  Renderer(const Body& body, const std::string& where, const Dict& variables, std::tm now);
  ~Renderer();
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  // The text. Throws FormatError "[where:line] …" for what goes wrong in the template and
  // TemplateRefusal (see chat_template.hpp) for what it refuses itself.
  std::string run();
  // The bytes of it that stood in {% generation %}, in order.
  const std::vector<Span>& generated() const { return generated_; }

 private:
  using ScopePointer = std::shared_ptr<Scope>;
  enum class Flow { on, leave, next };
  class Depth;
  class Inside;

  // Statements (render.cpp).
  Flow execute(const Body& body);
  Flow execute(const Node& statement);
  Flow execute_loop(const Node& statement);
  Flow execute_branch(const Node& statement);
  void execute_set_block(const Node& statement);
  void execute_generation(const Node& statement);
  void define_macro(const Node& statement);
  void assign(const Node& target, const Value& value);
  void write(std::string_view text);
  // What the body writes, in a scope of its own below `parent`.
  std::string captured(const Body& body, const ScopePointer& parent);

  // Expressions (evaluate.cpp).
  Value evaluate(const Node& expression);
  Value evaluate_or_none(const Node* expression);
  Value evaluate_name(const Node& expression);
  Value evaluate_dict(const Node& expression);
  Value evaluate_compare(const Node& expression);
  Value evaluate_call(const Node& expression);
  Value evaluate_concatenation(const Node& expression);
  Value evaluate_unary(const Node& expression);
  std::vector<Value> evaluate_all(const Body& expressions);
  Value filtered(const Node& expression, const Value& value);
  Arguments arguments_of(const Node& call);
  Value call_macro(const Function& function, const Arguments& arguments);
  Value make_namespace(const Arguments& arguments);

  const Body& body_;
  const std::string& where_;
  Surroundings with_;
  ScopePointer scope_;
  std::vector<std::string> outputs_;  // what is written, and what is captured of it
  std::vector<Span> generated_;
  // What may hold itself, and is emptied in the end.
  std::vector<ScopePointer> kept_scopes_;
  std::vector<std::shared_ptr<Namespace>> kept_namespaces_;
  int64_t line_ = 1;
  int depth_ = 0;
};

// Counts how deep statements, expressions and macros are inside of one another.
class Renderer::Depth {
 public:
  explicit Depth(Renderer& renderer);
  ~Depth() { --renderer_.depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  Renderer& renderer_;
};

// Makes another scope the current one for a while.
class Renderer::Inside {
 public:
  Inside(Renderer& renderer, ScopePointer parent)
      : renderer_(renderer), before_(std::move(renderer.scope_)) {
    renderer_.scope_ = std::make_shared<Scope>();
    renderer_.scope_->parent = std::move(parent);
  }
  ~Inside() { renderer_.scope_ = std::move(before_); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Renderer& renderer_;
  ScopePointer before_;
};

}  // namespace anneal::jinja
