#pragma once

#include <map>
#include <string>
#include <vector>

#include "anneal/base/source_location.hpp"
#include "anneal/ir/op_def.hpp"

namespace anneal {

enum class Phase : uint8_t { forward, recompute, backward, reduce, apply };
std::string_view name_of(Phase phase);

using NodeId = int32_t;

struct ValueInfo {
  TensorType type{};
  NodeId producer = -1;     // -1: a program input, or the content of a persistent value
  int32_t persistent = -1;  // the value is what this persistent holds when the program starts
  int32_t stores = -1;      // the value becomes the content of this persistent
  std::string name{};       // of an input
};

struct Node {
  const OpDef* op = nullptr;
  std::vector<Value> inputs{};
  std::vector<Value> outputs{};
  Attrs attrs{};
  Phase phase = Phase::forward;
  std::string scope{};        // h.3.attn
  SourceLocation location{};  // where the model opened that scope, or the pass that added the node

  std::string describe() const;  // matmul in 'h.3.attn' (anneal/model/transformer.cpp:50)
};

struct NamedValue {
  std::string name;
  Value value;
};

// A straight-line program in single-assignment form. `order` lists the nodes that run, first to
// last; nodes and values that are no longer used stay in the pools.
class Program {
 public:
  std::vector<NamedValue> outputs;
  std::vector<NodeId> order;
  // Gradients this program computes: parameter (index of a persistent) -> value.
  std::map<int32_t, Value> gradients;
  // The gradient of the loss with respect to itself, from which all others come.
  Value gradient_seed;

  const ValueInfo& info(Value v) const { return values_.at(static_cast<size_t>(v.id)); }
  ValueInfo& info(Value v) { return values_.at(static_cast<size_t>(v.id)); }
  const TensorType& type(Value v) const { return info(v).type; }
  const Node& node(NodeId n) const { return nodes_.at(static_cast<size_t>(n)); }
  Node& node(NodeId n) { return nodes_.at(static_cast<size_t>(n)); }
  int32_t value_count() const { return static_cast<int32_t>(values_.size()); }
  int32_t node_count() const { return static_cast<int32_t>(nodes_.size()); }
  const std::vector<Value>& inputs() const { return inputs_; }

  Value add_value(ValueInfo info);
  Value add_input(std::string name, TensorType type);
  // The value that persistent `index` has when the program starts; one per program.
  Value persistent_value(int32_t index, const TensorType& type);
  // Adds a node (with fresh outputs of the given types) without putting it into `order`.
  NodeId add_node(Node node, const std::vector<TensorType>& output_types);

  OpCall call(NodeId n) const;
  Value input(std::string_view name) const;   // none if there is no such input
  Value output(std::string_view name) const;  // none if there is no such output
  // Nodes in `order` that read each value, by value id (with one entry per reading node).
  std::vector<std::vector<NodeId>> readers() const;
  // Makes every reader (nodes of `order` and program outputs and gradients) of `from` read `to`.
  void replace_uses(Value from, Value to);

 private:
  std::vector<ValueInfo> values_;
  std::vector<Node> nodes_;
  std::vector<Value> inputs_;
};

}  // namespace anneal
