#pragma once

#include "anneal/ir/builder.hpp"

namespace anneal {

struct SumToAttrs {
  Shape shape;
  bool operator==(const SumToAttrs&) const = default;
  void print(std::ostream& out) const { out << shape; }
};

// Sums x down to `shape`, from which it could have been broadcast: a scalar (all elements), a
// suffix (bias gradients: [B,T,C] to [C]), or x's shape with a last extent of 1 (row sums). The
// result is f32; the sum of one output is taken in an order that depends on the shape only. An
// optional second input of the output's type is added to, in place.
const OpDef& sum_to_op();
Value sum_to(Builder& b, Value x, const Shape& shape);

struct BroadcastAttrs {
  Shape shape;
  bool operator==(const BroadcastAttrs&) const = default;
  void print(std::ostream& out) const { out << shape; }
};

// x repeated to `shape`: the transpose of sum_to.
const OpDef& broadcast_op();
Value broadcast_to(Builder& b, Value x, const Shape& shape);

}  // namespace anneal
