#pragma once

#include <string>
#include <vector>

#include "anneal/base/source_location.hpp"
#include "anneal/ir/module.hpp"

namespace anneal {

// Writes a program node by node; op headers declare functions over it that read like eager code:
//   Value y = gelu(b, matmul(b, x, w));  // [B,T,hidden]
class Builder {
 public:
  // Appends to `program`, which may belong to `module` or stand alone (no persistent values then).
  explicit Builder(Program& program, Module* module = nullptr,
                   SourceLocation location = SourceLocation::current())
      : program_(program), module_(module), location_(location) {}

  Value input(const std::string& name, DType dtype, const Shape& shape);
  void output(const std::string& name, Value value);

  // A parameter named SCOPE.name, created in the module on first use; later uses must agree in
  // shape.
  Value parameter(const std::string& name, const Shape& shape, Role role, Init init,
                  bool gradient_may_vanish = false);
  // What a persistent value holds when the program starts.
  Value persistent(int32_t index);
  // The persistent value takes `value` as its new content.
  void store(int32_t index, Value value);

  // Emits a node and infers its output types. Throws InternalError when the op refuses its inputs.
  std::vector<Value> emit(const OpDef& op, std::vector<Value> inputs, Attrs attrs = {});
  Value emit1(const OpDef& op, std::vector<Value> inputs, Attrs attrs = {});

  const TensorType& type(Value v) const { return program_.type(v); }
  const Shape& shape(Value v) const { return program_.type(v).shape; }
  Program& program() { return program_; }
  Module& module();

  const std::string& scope() const { return scope_; }
  SourceLocation location() const { return location_; }
  // The scope of the nodes to come, and the place in the sources that they are told to come from.
  void set_scope(std::string scope, SourceLocation location = SourceLocation::current()) {
    scope_ = std::move(scope);
    location_ = location;
  }
  Phase phase() const { return phase_; }
  void set_phase(Phase phase) { phase_ = phase; }
  // New nodes go to the end of this list instead of Program::order.
  void set_destination(std::vector<NodeId>* order) { destination_ = order; }

 private:
  Program& program_;
  Module* module_;
  std::string scope_;
  SourceLocation location_;
  Phase phase_ = Phase::forward;
  std::vector<NodeId>* destination_ = nullptr;
};

// Names the nodes and parameters that a block of model code creates: "h.3" inside "h".
class ScopeGuard {
 public:
  ScopeGuard(Builder& b, const std::string& name,
             SourceLocation location = SourceLocation::current())
      : b_(b), outer_(b.scope()), outer_location_(b.location()) {
    b.set_scope(outer_.empty() ? name : outer_ + "." + name, location);
  }
  ~ScopeGuard() { b_.set_scope(outer_, outer_location_); }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Builder& b_;
  std::string outer_;
  SourceLocation outer_location_;
};

}  // namespace anneal
