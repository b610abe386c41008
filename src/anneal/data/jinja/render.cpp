#include "anneal/base/error.hpp"
#include "anneal/data/chat_template.hpp"
#include "anneal/data/jinja/renderer.hpp"
#include "anneal/data/jinja/text.hpp"

namespace anneal::jinja {
namespace {

using Kind = Node::Kind;

constexpr int kDeepest = 500;

}  // namespace

Renderer::Depth::Depth(Renderer& renderer) : renderer_(renderer) {
  if (renderer_.depth_ >= kDeepest)
    throw Failure(str("macros or expressions are nested deeper than ", kDeepest,
                      " levels (does a macro call itself without end?)"));
  ++renderer_.depth_;
}

Renderer::Renderer(const Body& body, const std::string& where, const Dict& variables, std::tm now)
    : body_(body), where_(where), with_{{}, now}, outputs_(1) {
  auto given = std::make_shared<Scope>();
  for (const Dict::Member& member : variables.members()) given->names.insert(member);
  scope_ = std::make_shared<Scope>();
  scope_->parent = std::move(given);
}

Renderer::~Renderer() {
  for (const ScopePointer& scope : kept_scopes_) scope->names.clear();
  for (const auto& space : kept_namespaces_) space->members = Dict();
}

std::string Renderer::run() {
  try {
    (void)execute(body_);
  } catch (const Refusal& refusal) {
    throw TemplateRefusal(
        str("[", where_, ":", line_, "] the chat template refuses this: ", refusal.what()));
  } catch (const Failure& failure) {
    throw FormatError(str("[", where_, ":", line_, "] ", failure.what()));
  }
  return std::move(outputs_.front());
}

void Renderer::write(std::string_view text) {
  with_.budget.allocate(static_cast<int64_t>(text.size()));
  outputs_.back() += text;
}

std::string Renderer::captured(const Body& body, const ScopePointer& parent) {
  Inside inside(*this, parent);
  outputs_.emplace_back();
  (void)execute(body);
  std::string text = std::move(outputs_.back());
  outputs_.pop_back();
  return text;
}

Renderer::Flow Renderer::execute(const Body& body) {
  for (const NodePointer& statement : body)
    if (Flow flow = execute(*statement); flow != Flow::on) return flow;
  return Flow::on;
}

Renderer::Flow Renderer::execute(const Node& statement) {
  Depth depth(*this);
  with_.budget.step();
  line_ = statement.line;
  switch (statement.kind) {
    case Kind::text:
      write(statement.value.as_text());
      break;
    case Kind::output:
      write(to_text(evaluate(*statement.children[0]), with_.budget));
      break;
    case Kind::set:
      assign(*statement.children[0], evaluate(*statement.children[1]));
      break;
    case Kind::set_block:
      execute_set_block(statement);
      break;
    case Kind::loop:
      return execute_loop(statement);
    case Kind::branch:
      return execute_branch(statement);
    case Kind::macro:
      define_macro(statement);
      break;
    case Kind::leave:
      return Flow::leave;
    case Kind::next:
      return Flow::next;
    case Kind::generation:
      execute_generation(statement);
      break;
    default:
      ANNEAL_ASSERT(false, "an expression as a statement");
  }
  return Flow::on;
}

Renderer::Flow Renderer::execute_branch(const Node& statement) {
  for (size_t i = 0; i < statement.children.size(); ++i)
    if (evaluate(*statement.children[i]).truth()) return execute(statement.bodies[i]);
  return execute(statement.otherwise);
}

Renderer::Flow Renderer::execute_loop(const Node& statement) {
  const Node& target = *statement.children[0];
  const Node* condition = statement.children[2].get();
  std::vector<Value> items = iterate(evaluate(*statement.children[1]), with_.budget);
  ScopePointer outer = scope_;
  std::function<bool(const Value&)> wanted;
  if (condition)
    wanted = [this, outer, &target, condition](const Value& item) {
      Inside inside(*this, outer);
      assign(target, item);
      return evaluate(*condition).truth();
    };
  auto loop = std::make_shared<Loop>(std::move(items), std::move(wanted));
  bool any = false;
  while (loop->advance()) {
    any = true;
    with_.budget.step();
    Inside inside(*this, outer);
    scope_->names["loop"] = Value::Held(loop);
    assign(target, loop->item());
    if (execute(statement.bodies[0]) == Flow::leave) return Flow::on;
  }
  if (any) return Flow::on;
  Inside inside(*this, outer);
  return execute(statement.otherwise);
}

void Renderer::execute_set_block(const Node& statement) {
  Value value = Value::text(captured(statement.bodies[0], scope_));
  if (const Node* filter = statement.children[1].get()) value = filtered(*filter, value);
  assign(*statement.children[0], value);
}

void Renderer::execute_generation(const Node& statement) {
  if (outputs_.size() > 1)
    throw Failure(
        "{% generation %} inside of a macro, a {% set %} or another one is not supported");
  std::string text = captured(statement.bodies[0], scope_);
  size_t begin = outputs_.front().size();
  write(text);
  generated_.push_back({begin, begin + text.size()});
}

void Renderer::define_macro(const Node& statement) {
  auto function = std::make_shared<Function>();
  function->kind = Function::Kind::macro;
  function->name = statement.name;
  function->macro = &statement;
  function->scope = scope_;
  kept_scopes_.push_back(scope_);
  scope_->names[statement.name] = Value::Held(std::shared_ptr<const Function>(std::move(function)));
}

void Renderer::assign(const Node& target, const Value& value) {
  if (target.kind == Kind::name) {
    scope_->names[target.name] = value;
  } else if (target.kind == Kind::member) {
    Value space = evaluate_name(*target.children[0]);
    if (!space.is<std::shared_ptr<Namespace>>())
      throw Failure(str("expected a namespace to set ", target.name, " of, got ", space.type_name(),
                        " (write {% set x = namespace() %} first)"));
    std::get<std::shared_ptr<Namespace>>(space.held())->members.set(target.name, value);
  } else {
    std::vector<Value> parts = iterate(value, with_.budget);
    if (parts.size() != target.children.size())
      throw Failure(
          str("expected ", target.children.size(), " values to unpack, got ", parts.size()));
    for (size_t i = 0; i < parts.size(); ++i) assign(*target.children[i], parts[i]);
  }
}

}  // namespace anneal::jinja
